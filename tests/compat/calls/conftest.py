"""Short cuts for calls, and the same service in open mode."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from harness.pool import ServerPool, lend
from harness.siblings import SETTINGS, Sibling

OPEN = {**SETTINGS, "COMPAT_CALLS_OPEN": "true"}


@dataclass(frozen=True)
class Caller:
    """Somebody who uses the routes; without a token in open mode."""

    calls: Sibling
    token: str | None

    def call(self, method: str, path: str, **body: Any) -> Any:
        return (
            self.calls.call(method, path, self.token, json=body) if body else self.calls.call(method, path, self.token)
        )

    def post(self, path: str, **body: Any) -> Any:
        return self.call("POST", path, **body)

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def made(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.post(path, **body)
        assert answer.status_code == 201, answer.text
        thing = answer.json()
        assert isinstance(thing, dict)
        return thing

    def user(self, name: str = "Ana") -> dict[str, Any]:
        return self.made("/users", name=name)


@pytest.fixture
def ana(calls: Sibling) -> Caller:
    """An IzpoChat account, as every caller is in secure mode."""
    return Caller(calls, calls.chat.user().token)


@pytest.fixture
def beto(calls: Sibling) -> Caller:
    return Caller(calls, calls.chat.user("beto").token)


@pytest.fixture(params=["sqlite", "postgres"])
def anybody(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Caller]:
    """Whoever reaches the service in open mode."""
    for chat in lend(shared_servers, request.param, purpose="open siblings", settings=OPEN):
        yield Caller(Sibling(chat, "calls"), None)


@pytest.fixture(params=["secure-sqlite", "secure-postgres", "open-sqlite"])
def caller(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Caller]:
    """Whoever may use the routes, in each mode."""
    mode, kind = request.param.split("-")
    if mode == "open":
        for chat in lend(shared_servers, kind, purpose="open siblings", settings=OPEN):
            yield Caller(Sibling(chat, "calls"), None)
    else:
        for chat in lend(shared_servers, kind, purpose="siblings", settings=SETTINGS):
            yield Caller(Sibling(chat, "calls"), chat.user().token)
