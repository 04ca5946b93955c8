"""While PostgreSQL is away nobody is told that a good token is a bad one: clients that are told so give up for good."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.chat import Chat, User
from harness.database import Database
from harness.engine import Engine, scenario
from harness.node import Node
from harness.pool import ServerPool
from harness.postgres import PostgresCluster
from harness.raw import RawSocket
from harness.siblings import SETTINGS, Sibling
from harness.waiting import wait_until

NAMESPACES = ["/compat/meetings,", "/compat/calls,", ""]


@dataclass
class Outage:
    """A service, an account of IzpoChat, and the server of its database."""

    chat: Chat
    server: PostgresCluster
    ana: User
    room: int


@pytest.fixture(params=["handoff", "asgi"])
def outage(request: pytest.FixtureRequest, servers: ServerPool) -> Iterator[Outage]:
    """PostgreSQL has gone away under the running service."""
    cluster = PostgresCluster()
    database = Database(cluster.create_database())
    chat = servers.prepare("postgres", database=database, transport=request.param, settings=SETTINGS)
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    cluster.stop()
    yield Outage(chat, cluster, ana, room)
    cluster.close()


def recover(outage: Outage) -> None:
    """Bring the database back."""
    outage.server.start()
    wait_until(lambda: outage.chat.get("/api/users/me", outage.ana).status_code == 200, "the service to recover", 30)


@scenario
async def test_the_transport_closes_instead_of_refusing_the_token(outage: Outage) -> None:
    engine = Engine(outage.chat, "/socket.io/")
    for namespace in NAMESPACES:
        entering = f'40{namespace}{{"token":"{outage.ana.token}"}}'
        async with engine.opened() as socket:
            await socket.send(entering)
            assert await socket.closed() == 1000, namespace
        async with engine.polling() as session:
            await session.say(entering)
            answer = await session.get()
            # The session has ended, or this is the packet that says so.
            assert answer.status_code == 400 or answer.text == "1", (namespace, answer.text)
            await session.gone()
        async with engine.opened() as socket:
            await socket.send(f'40{namespace}{{"token":"bad"}}')
            assert str(await socket.next()).startswith(f"44{namespace}"), "that can be told without the database"
    await asyncio.to_thread(recover, outage)
    for namespace in NAMESPACES:
        async with engine.opened() as socket:
            await socket.send(f'40{namespace}{{"token":"{outage.ana.token}"}}')
            assert str(await socket.next()).startswith(f'40{namespace}{{"sid":')


def test_requests_and_handshakes_are_told_to_come_again(outage: Outage) -> None:
    chat, ana = outage.chat, outage.ana
    for system, path in [("meetings", "/api/meetings/x"), ("calls", "/users"), ("calls", "/rooms")]:
        answer = Sibling(chat, system).get(path, ana.token)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True), (system, path, answer.text)
    assert chat.get("/api/users/me", ana).status_code == 503
    online = chat.call("GET", f"/api/ws/rooms/{outage.room}/online?token={ana.token}")
    assert online.status_code == 503, online.text
    for token in (ana.token, None):
        raw = RawSocket(chat.socket_url(outage.room, token), chat.context)
        raw.send_bytes(raw.request())
        status, head = raw.read_response()
        assert (status, "retry-after: 1" in head.lower()) == ((403, False) if token is None else (503, True))
        raw.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]], ids="-".join)
def test_the_official_client_comes_back(outage: Outage, node: Node, transports: list[str], tmp_path: Path) -> None:
    signal = tmp_path / "tried"
    options = {"transports": transports, "token": outage.ana.token, "signal": str(signal)}
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(node.run, outage.chat, "outage.mjs", **options)
        wait_until(lambda: signal.exists() or running.done(), "the clients to have tried", 30)
        recover(outage)
        assert running.result() == {"refused": [], "connected": 3}
