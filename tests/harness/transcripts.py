"""Replays recorded exchanges (``fixtures/transcripts.json``) against a running service.

One ``Replay`` plays one case. Its variables, its open sockets and its accounts belong to it alone. Steps are methods
named after the ``op`` of the step; the format is documented inside the file.
"""

import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import InvalidStatus

from harness import tokens
from harness.chat import SECRET_KEY, Chat
from harness.matching import Matcher, show
from harness.sockets import ChatSocket

FILE = Path(__file__).parent.parent / "fixtures" / "transcripts.json"
REFERENCE = re.compile(r"\$\{([^}]+)\}")
CLOSE_SECONDS = 2.0

# Elsewhere accounts are inserted, which saves half a second of bcrypt each.
REGISTERING_SECTIONS = frozenset({"register", "login", "data"})

Step = dict[str, Any]


def load_cases() -> list[dict[str, Any]]:
    """Every recorded case."""
    cases = json.loads(FILE.read_text())["cases"]
    assert isinstance(cases, list)
    return cases


def dig(value: Any, path: str) -> Any:
    """The part of a JSON value that a dotted path names."""
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _one_or_many(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


class Replay:
    """One run of one case."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._sockets: dict[str, ChatSocket] = {}
        self._variables: dict[str, Any] = {"uniq": uuid.uuid4().hex[:10]}

    def run(self, case: dict[str, Any]) -> None:
        """Play every step; the failure names the step."""
        for name in case.get("users", []):
            self._make_account(name, registered=case["section"] in REGISTERING_SECTIONS)
        try:
            for number, step in enumerate(case["steps"], 1):
                try:
                    getattr(self, f"_step_{step['op']}")(step)
                except AssertionError as failure:
                    raise AssertionError(f"step {number} {show(step)}: {failure}") from failure
        finally:
            for socket in self._sockets.values():
                socket.close()

    def _make_account(self, name: str, *, registered: bool) -> None:
        username = f"{name}_{self._variables['uniq']}"
        full_name = f"Nombre {username}"
        if registered:
            email = f"{username}@example.com"
            user = self._chat.register(username=username, email=email, full_name=full_name)
        else:
            user = self._chat.user(username=username, full_name=full_name)
        for key in ("id", "username", "email", "full_name", "password", "token"):
            self._variables[f"{name}.{key}"] = getattr(user, key)

    def _fill(self, value: Any) -> Any:
        """Replace references; a text that is one reference keeps the type of the variable."""
        match value:
            case str():
                whole = REFERENCE.fullmatch(value)
                if whole:
                    return self._variables[whole[1]]
                return REFERENCE.sub(lambda reference: str(self._variables[reference[1]]), value)
            case list():
                return [self._fill(item) for item in value]
            case {"$repeat": text, "times": times} if len(value) == 2:
                return self._fill(text) * times
            case dict():
                return {key: self._fill(item) for key, item in value.items()}
        return value

    def _save(self, step: Step, value: Any) -> None:
        for variable, path in step.get("save", {}).items():
            self._variables[variable] = dig(value, path)

    # HTTP ---------------------------------------------------------------------------------------------------------

    def _request(self, step: Step) -> httpx.Response:
        headers = self._fill(step.get("headers", {}))
        if "as" in step:
            headers["Authorization"] = f"Bearer {self._variables[step['as'] + '.token']}"
        options: dict[str, Any] = {}
        if "query" in step:
            options["params"] = self._fill(step["query"])
        if "json" in step:
            options["content"] = json.dumps(self._fill(step["json"]))
            headers.setdefault("Content-Type", "application/json")
        elif "body" in step:
            options["content"] = self._fill(step["body"]).encode()
        elif "multipart" in step:
            options["files"] = [self._part(part) for part in step["multipart"]]
        return self._chat.call(step["method"], self._fill(step["path"]), headers=headers, **options)

    def _part(self, part: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
        if "filename" not in part:
            return part["field"], (None, str(self._fill(part["value"])))
        data = self._fill(part["text"]).encode() if "text" in part else b"a" * part["size"]
        return part["field"], (self._fill(part["filename"]), data, part["content_type"])

    def _step_http(self, step: Step) -> None:
        answer = self._request(step)
        self._check_answer(step.get("expect", {}), answer)
        if "save" in step:
            self._save(step, answer.json())

    def _check_answer(self, wanted: Step, answer: httpx.Response) -> None:
        if "status" in wanted:
            assert answer.status_code in _one_or_many(wanted["status"]), f"{answer.status_code} {show(answer.text)}"
        for name, value in wanted.get("headers", {}).items():
            self._check_header(name, self._fill(value), answer.headers.get(name))
        if {"json", "contains", "lacks"} & wanted.keys():
            assert answer.headers["content-type"] == "application/json", answer.headers["content-type"]
            self._check_json(wanted, answer.json())
        if "text" in wanted:
            problems = Matcher().differences(self._fill(wanted["text"]), answer.text)
            assert not problems, problems
        for text in wanted.get("text_lacks", []):
            assert self._fill(text).lower() not in answer.text.lower(), f"the body holds {text!r}: {show(answer.text)}"

    def _check_header(self, name: str, wanted: str | None, value: str | None) -> None:
        if wanted is None:
            assert value is None, f"header {name} is {value!r}, it should be absent"
            return
        assert value is not None, f"no header {name}"
        if wanted.startswith("contains:"):
            for part in wanted.removeprefix("contains:").split(","):
                assert part.strip().lower() in value.lower(), f"header {name} is {value!r}, without {part!r}"
            return
        problems = Matcher().differences(wanted, value, name)
        assert not problems, problems

    def _check_json(self, wanted: Step, body: Any) -> None:
        matcher = Matcher(subset=wanted.get("match") == "subset")
        if "json" in wanted:
            problems = matcher.differences(self._fill(wanted["json"]), body)
            assert not problems, "; ".join(problems)
        items = dig(body, wanted["at"]) if "at" in wanted else body
        for template in self._fill(wanted.get("contains", [])):
            assert any(matcher.matches(template, item) for item in items), f"no item matches {show(template)}"
        for template in self._fill(wanted.get("lacks", [])):
            found = [item for item in items if Matcher(subset=True).matches(template, item)]
            assert not found, f"unexpected {show(found)}"

    def _step_parallel_http(self, step: Step) -> None:
        count = step["n"]
        with ThreadPoolExecutor(count) as executor:
            statuses = [answer.status_code for answer in executor.map(self._request, [step] * count)]
        counted = {str(status): statuses.count(status) for status in statuses}
        assert counted == step["expect_statuses"], counted

    # Tokens, times, SQL -------------------------------------------------------------------------------------------

    def _step_jwt(self, step: Step) -> None:
        claims = self._fill(step["claims"])
        for name, value in claims.items():
            if isinstance(value, str) and value.startswith("now"):
                claims[name] = int(time.time()) + int(value[3:] or 0)
        key = self._fill(step.get("secret") or SECRET_KEY)
        self._variables[step["save"]] = tokens.sign(claims, key, step.get("alg", "HS256"))

    def _step_time_gap(self, step: Step) -> None:
        earlier, later = (datetime.fromisoformat(self._fill(step[name])) for name in ("earlier", "later"))
        gap = (
            later.replace(tzinfo=later.tzinfo or UTC) - earlier.replace(tzinfo=earlier.tzinfo or UTC)
        ).total_seconds()
        least, most = step.get("min_ms", 0) / 1000, step.get("max_ms", float("inf")) / 1000
        assert least <= gap <= most, f"{gap} s apart"

    def _step_sleep(self, step: Step) -> None:
        # Part of the recording: it makes the times of two messages differ by a known amount.
        time.sleep(step["ms"] / 1000)

    def _step_sql(self, step: Step) -> None:
        rows = self._chat.database.rows(self._fill(step["sql"]))
        value = rows[0][0] if rows else None
        if "save" in step:
            self._variables[step["save"]] = value
        if step.get("expect") is not None:
            problems = Matcher().differences(self._fill(step["expect"]), str(value))
            assert not problems, problems

    # Sockets ------------------------------------------------------------------------------------------------------

    def _step_ws_open(self, step: Step) -> None:
        wanted = step.get("expect", {"open": True})
        headers = self._fill(step.get("headers", {}))
        origin = headers.pop("Origin", None)
        url = "ws" + self._chat.server.base_url.removeprefix("http") + self._fill(step["path"])
        try:
            socket = ChatSocket.open(url, self._chat.context, additional_headers=headers, origin=origin)
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            assert not wanted.get("open"), f"refused with {status}"
            assert status in _one_or_many(wanted["status"]), f"refused with {status}"
            return
        self._sockets[step["socket"]] = socket
        assert wanted.get("open"), "the handshake was accepted"

    def _step_ws_send(self, step: Step) -> None:
        socket = self._sockets[step["socket"]]
        if "json" in step:
            socket.send_raw(json.dumps(self._fill(step["json"]), ensure_ascii=bool(step.get("ascii"))))
        elif "binary_hex" in step:
            socket.send_raw(bytes.fromhex(step["binary_hex"]))
        else:
            socket.send_raw(self._fill(step["text"]))

    def _step_ws_recv(self, step: Step) -> None:
        frames = [self._sockets[step["socket"]].receive() for _ in step["frames"]]
        matcher = Matcher(subset=step.get("match") == "subset")
        wanted = self._fill(step["frames"])
        problems = matcher.differences({"$unordered": wanted} if step.get("any_order") else wanted, frames, "frames")
        assert not problems, "; ".join(problems)
        text = json.dumps(frames, ensure_ascii=False).lower()
        for part in step.get("text_lacks", []):
            assert self._fill(part).lower() not in text, f"a frame holds {part!r}"
        self._save(step, frames)

    def _step_ws_silent(self, step: Step) -> None:
        # The service answers in order: whatever it still had to say comes before the answer to our ping.
        self._sockets[step["socket"]].expect_quiet()

    def _step_ws_close(self, step: Step) -> None:
        started = time.monotonic()
        self._sockets.pop(step["socket"]).close(step.get("code", 1000), step.get("reason", ""))
        assert time.monotonic() - started < CLOSE_SECONDS, "the Close frame was not answered promptly"

    def _step_ws_abort(self, step: Step) -> None:
        self._sockets.pop(step["socket"]).abort()

    def _step_ws_closed(self, step: Step) -> None:
        code, reason, _ = self._sockets.pop(step["socket"]).expect_closed()
        assert code in _one_or_many(step["code"]), f"closed with {code} {reason!r}"
