"""The body of a 422: what was wrong, with the offending input and without passwords.

``input`` repeats what the client sent and is therefore anything: text that is no Unicode, numbers that are no JSON,
nesting without end. All of it has to come out as JSON that can be sent.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

_MAX_DEPTH = 16


def describe_validation_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries of ``detail``, with their keys in the order clients know."""
    return [_describe(error) for error in errors]


def _describe(error: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": error["type"],
        "loc": _printable(error["loc"]),
        "msg": _printable(error["msg"]),
        "input": None if _may_be_password(error) else _printable(error.get("input")),
    }
    if "ctx" in error:
        entry["ctx"] = _printable(error["ctx"])
    return entry


def _may_be_password(error: Mapping[str, Any]) -> bool:
    location = error["loc"]
    # For a missing field the input is not its value but the object it is missing from.
    if _is_secret(location[-1]) and error["type"] != "missing":
        return True
    # A body that is text as a whole, for instance a form, may hold a password anywhere.
    return tuple(location) == ("body",) and isinstance(error.get("input"), str | bytes)


def _is_secret(key: object) -> bool:
    return isinstance(key, str) and "password" in key.lower()


def _printable(value: Any, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        return None
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            # Lone surrogates become question marks.
            return value.encode(errors="replace").decode()
        case Mapping():
            return {
                _printable(str(key)): _printable(item, depth + 1) for key, item in value.items() if not _is_secret(key)
            }
        case list() | tuple():
            return [_printable(item, depth + 1) for item in value]
        case bytes():
            return None
        case _:
            return _printable(str(value))
