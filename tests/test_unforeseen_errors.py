"""Unforeseen errors are answered with the generic 500 of section 2.6 of the contract, for browsers too."""

import httpx
import pytest
from harness.pool import ServerPool

ORIGIN = "http://localhost:3000"


def assert_generic(answer: httpx.Response) -> None:
    """The 500 without internals, readable for a page of a listed origin."""
    assert (answer.status_code, answer.json()) == (500, {"error": "Error interno del servidor", "status_code": 500})
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_damaged_database(servers: ServerPool, kind: str) -> None:
    chat = servers.prepare(kind)
    chat.server.start()
    ana = chat.user("ana")
    chat.database.rows("alter table users rename to misplaced")
    assert_generic(chat.call("GET", "/api/users/me", ana, headers={"Origin": ORIGIN}))
    assert "GET /api/users/me failed" in chat.server.log
    chat.database.rows("alter table misplaced rename to users")
    assert chat.get("/api/users/me", ana).status_code == 200
