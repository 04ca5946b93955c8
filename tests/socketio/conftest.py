"""The server that the conformance suites expect, through the hand-off and through ASGI messages."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from harness.chat import Chat
from harness.engine import Engine
from harness.pool import ServerPool, check_log


@dataclass
class SuiteServers:
    """Each started once for all tests of the folder, when the first one asks for it."""

    pool: ServerPool
    scripts: Path
    running: dict[tuple[str, str], Chat] = field(default_factory=dict)

    def get(self, transport: str, app: str) -> Chat:
        """The server of this name in the script."""
        if (transport, app) not in self.running:
            command = [sys.executable, "-m", "uvicorn", f"conformance_server:{app}", "--app-dir", str(self.scripts)]
            command += ["--host", "127.0.0.1", "--port", "0"]
            chat = self.pool.prepare("sqlite", transport=transport, command=command, owned=False)
            self.running[transport, app] = chat
            chat.server.start()
        return self.running[transport, app]


@pytest.fixture(scope="session")
def suite_servers(shared_servers: ServerPool, repository: Path) -> Iterator[SuiteServers]:
    """The servers of the folder."""
    servers = SuiteServers(shared_servers, repository / "tests" / "scripts")
    yield servers
    for chat in servers.running.values():
        chat.server.kill()


def lend(chat: Chat) -> Iterator[Chat]:
    """Lend a server to one test and check what it logged meanwhile."""
    seen = len(chat.server.log)
    yield chat
    check_log(chat.server.log[seen:])
    assert chat.server.process.poll() is None, f"the server ended:\n{chat.server.log}"


@pytest.fixture(params=["handoff", "asgi"])
def suite_server(request: pytest.FixtureRequest, suite_servers: SuiteServers) -> Iterator[Chat]:
    """What the suites expect, but with the heartbeat of the reference: a busy machine drops nobody."""
    yield from lend(suite_servers.get(request.param, "calm_app"))


@pytest.fixture(params=["handoff", "asgi"])
def hasty_engine(request: pytest.FixtureRequest, suite_servers: SuiteServers) -> Iterator[Engine]:
    """The echo of the suite of Engine.IO, with the heartbeat of the suite."""
    for chat in lend(suite_servers.get(request.param, "app")):
        yield Engine(chat, "/engine.io/")


@pytest.fixture
def engine(suite_server: Chat) -> Engine:
    """The echo of the suite of Engine.IO."""
    return Engine(suite_server, "/engine.io/")


@pytest.fixture
def socket_io(suite_server: Chat) -> Engine:
    """The namespaces of the suite of Socket.IO."""
    return Engine(suite_server, "/socket.io/")
