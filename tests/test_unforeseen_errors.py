"""What nobody foresaw is answered alike: the generic 500 of section 2.6 of the contract, for browsers too."""

import sys

import httpx
import pytest
from harness.chat import Chat
from harness.pool import ServerPool

ORIGIN = "http://localhost:3000"

# A service with two routes more, as somebody who builds on it would add them.
EXTENDED = """
from chat_app.main import app

@app.get("/works")
async def works(name: str) -> dict[str, str]:
    return {"name": name}

@app.get("/fails")
async def fails() -> None:
    raise RuntimeError("a secret of the inside")
"""


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


@pytest.fixture
def extended(servers: ServerPool) -> Chat:
    """A service with routes of the framework's own class beside its own."""
    command = [sys.executable, "-m", "uvicorn", "extended:app", "--host", "127.0.0.1", "--port", "0"]
    # Its log holds the traceback, which the pool would not let pass.
    chat = servers.prepare(command=command, owned=False)
    (chat.server.folder / "extended.py").write_text(EXTENDED)
    return chat


def test_routes_that_were_added(extended: Chat) -> None:
    extended.server.start()
    try:
        assert extended.get("/works?name=ana").json() == {"name": "ana"}
        assert extended.get("/works").status_code == 422
        assert_generic(extended.call("GET", "/fails", headers={"Origin": ORIGIN}))
        assert "a secret of the inside" in extended.server.log
        extended.server.stop()
    finally:
        extended.server.kill()
