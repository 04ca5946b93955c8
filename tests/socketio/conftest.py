"""The server that the conformance suites expect, through the hand-off and through ASGI messages."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.chat import Chat
from harness.engine import Engine
from harness.pool import ServerPool, check_log


@pytest.fixture(params=["handoff", "asgi"])
def suite_server(request: pytest.FixtureRequest, suite_servers: dict[str, Chat]) -> Iterator[Chat]:
    chat = suite_servers[request.param]
    seen = len(chat.server.log)
    yield chat
    check_log(chat.server.log[seen:])
    assert chat.server.process.poll() is None, f"the server ended:\n{chat.server.log}"


@pytest.fixture(scope="session")
def suite_servers(shared_servers: ServerPool, repository: Path) -> Iterator[dict[str, Chat]]:
    """Started once for all tests of the folder."""
    scripts = str(repository / "tests" / "scripts")
    command = [sys.executable, "-m", "uvicorn", "conformance_server:app", "--app-dir", scripts]
    command += ["--host", "127.0.0.1", "--port", "0"]
    chats = {
        transport: shared_servers.prepare("sqlite", transport=transport, command=command, owned=False)
        for transport in ("handoff", "asgi")
    }
    try:
        for chat in chats.values():
            chat.server.start()
        yield chats
    finally:
        for chat in chats.values():
            chat.server.kill()


@pytest.fixture
def engine(suite_server: Chat) -> Engine:
    """The echo of the suite of Engine.IO."""
    return Engine(suite_server, "/engine.io/")


@pytest.fixture
def socket_io(suite_server: Chat) -> Engine:
    """The namespaces of the suite of Socket.IO."""
    return Engine(suite_server, "/socket.io/")
