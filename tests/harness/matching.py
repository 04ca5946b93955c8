"""Comparing an answer with a recorded template.

The rules are those of the transcript file's ``format_doc``: placeholders such as ``<int>``, exact keys unless the match
is a subset, lists by position except where the order has no meaning. Key order is compared too, in exact matches.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# What messages have behind the recorded keys (docs/PROTOCOL.md), and by which recorded keys they are known.
ADDED_TO_MESSAGES = ["seq"]
MESSAGE_KEYS = {"id", "content", "room_id", "file_id"}
# The same of one's own rooms.
ADDED_TO_OWN_ROOMS = ["last_seq", "last_read_seq", "unread_count"]
ROOM_KEYS = {"name", "is_private", "owner", "members"}
UNORDERED_LISTS = frozenset({"members", "users", "online_users"})

_ISO_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?"
_HEX = "[0-9a-fA-F]"
INLINE_PATTERNS = {
    "<int>": r"-?\d+",
    "<str>": r"(?s:.*)",
    "<uuid>": f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
    "<jwt>": r"[\w-]+\.[\w-]+\.[\w-]+",
    "<ts-z>": rf"{_ISO_TIME}(?:Z|[+-]\d\d:\d\d)",
    "<ts>": rf"{_ISO_TIME}(?:Z|[+-]\d\d:\d\d)?",
    "<date-path>": r"\d{4}/\d\d/\d\d",
}
_INLINE = re.compile("|".join(map(re.escape, INLINE_PATTERNS)))


def _is_time_or_null(value: object) -> bool:
    return value is None or (isinstance(value, str) and re.fullmatch(INLINE_PATTERNS["<ts>"], value) is not None)


WHOLE_VALUES: dict[str, Callable[[object], bool]] = {
    "<int>": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "<bool>": lambda value: isinstance(value, bool),
    "<any>": lambda _: True,
    "<str>": lambda value: isinstance(value, str),
    "<str-or-null>": lambda value: value is None or isinstance(value, str),
    "<null-or-ts>": _is_time_or_null,
}


def show(value: object) -> str:
    """A value as short text for a failure."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 400 else text[:400] + "…"


@dataclass(frozen=True)
class Matcher:
    """Compares values with templates whose variables are already filled in.

    Args:
        subset: further keys are allowed in every object, in any order.
    """

    subset: bool = False

    def differences(self, template: Any, value: Any, at: str = "$", key: str | None = None) -> list[str]:
        """What is wrong with ``value``, one line each; empty if it matches."""
        match template:
            case str():
                return self._text(template, value, at)
            case {"$any_of": alternatives} if len(template) == 1:
                if any(self.matches(alternative, value) for alternative in alternatives):
                    return []
                return [f"{at}: no alternative matches {show(value)}"]
            case {"$unordered": items} if len(template) == 1:
                return self._unordered(items, value, at)
            case dict():
                return self._object(template, value, at)
            case list() if key in UNORDERED_LISTS:
                return self._unordered(template, value, at)
            case list():
                return self._list(template, value, at)
        same = isinstance(template, bool) == isinstance(value, bool) and template == value
        return [] if same else [f"{at}: expected {show(template)}, got {show(value)}"]

    def matches(self, template: Any, value: Any) -> bool:
        """Whether nothing is wrong."""
        return not self.differences(template, value)

    def _text(self, template: str, value: object, at: str) -> list[str]:
        if template in WHOLE_VALUES:
            fits = WHOLE_VALUES[template](value)
        elif not isinstance(value, str):
            fits = False
        elif found := list(_INLINE.finditer(template)):
            pattern, end = "", 0
            for placeholder in found:
                pattern += re.escape(template[end : placeholder.start()]) + INLINE_PATTERNS[placeholder[0]]
                end = placeholder.end()
            fits = re.fullmatch(pattern + re.escape(template[end:]), value) is not None
        else:
            fits = template == value
        return [] if fits else [f"{at}: expected {show(template)}, got {show(value)}"]

    def _object(self, template: dict[str, Any], value: object, at: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{at}: expected an object, got {show(value)}"]
        found = [f"{at}: no key {key!r}" for key in template if key not in value]
        for key in template.keys() & value.keys():
            found += self.differences(template[key], value[key], f"{at}.{key}", key)
        if self.subset:
            return found
        added = ADDED_TO_MESSAGES if template.keys() >= MESSAGE_KEYS else []
        added = ADDED_TO_OWN_ROOMS if template.keys() >= ROOM_KEYS else added
        expected = [*template, *added]
        found += [f"{at}: unexpected key {key!r}" for key in value if key not in expected]
        if not found and list(value) not in (list(template), expected):
            found.append(f"{at}: keys in the order {list(value)}, expected {expected}")
        return found

    def _list(self, template: list[Any], value: object, at: str) -> list[str]:
        if not isinstance(value, list) or len(value) != len(template):
            return [f"{at}: expected {len(template)} items, got {show(value)}"]
        pairs = enumerate(zip(template, value, strict=True))
        return [line for index, (a, b) in pairs for line in self.differences(a, b, f"{at}[{index}]")]

    def _unordered(self, template: list[Any], value: object, at: str) -> list[str]:
        if not isinstance(value, list) or len(value) != len(template):
            return [f"{at}: expected {len(template)} items, got {show(value)}"]
        rest = list(value)
        for wanted in template:
            fitting = next((index for index, item in enumerate(rest) if self.matches(wanted, item)), None)
            if fitting is None:
                return [f"{at}: no item matches {show(wanted)} in {show(rest)}"]
            del rest[fitting]
        return []
