"""The sibling systems on several processes: whoever comes to one of them is together with those at the others."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from harness.chat import Chat, unique
from harness.cluster import start_processes
from harness.engine import Engine, EngineSocket, PollingSession, scenario
from harness.flows import Place, calls, meetings, webrtc, ws_hub
from harness.pool import ServerPool
from harness.redis_server import RedisServer
from harness.siblings import SETTINGS, Account, Sibling, external_token
from harness.sockets import ChatSocket
from harness.waiting import wait_until

SERVICE_RESTART = 1012
MEETINGS = "/compat/meetings"
OPEN = "EIO=4&transport=polling"
# How long a process that fell silent counts as there, and some.
GONE_SECONDS = 20.0

Start = Callable[..., list[Chat]]


def wait_for_home(processes: list[Chat]) -> None:
    """Wait until each of them serves the systems: the one that holds their state is known."""
    for process in processes:
        wait_until(
            lambda process=process: process.get(f"/socket.io/?{OPEN}").status_code == httpx.codes.OK,
            "the process to serve the sibling systems",
            GONE_SECONDS,
        )


@pytest.fixture
def start(servers: ServerPool, redis: RedisServer) -> Start:
    """Starts processes with the sibling systems; the state is at the first one."""

    def run(kind: str, count: int = 2) -> list[Chat]:
        processes = start_processes(servers, kind, redis.url, count=count, settings=SETTINGS)
        wait_for_home(processes)
        return processes

    return run


@pytest.fixture(params=["sqlite", "postgres"])
def siblings(request: pytest.FixtureRequest, start: Start) -> list[Chat]:
    """Two processes, on each database."""
    return start(request.param)


async def run_flows(one: Chat, other: Chat, transports: tuple[str, ...], rounds: int = 2) -> None:
    """The flows of all systems at once: requests and the first person at one process, the second at the other."""
    async with httpx.AsyncClient(base_url=one.server.base_url, timeout=100, trust_env=False) as http:
        place = Place(one, http, transports, other)
        async with asyncio.TaskGroup() as group:
            for flow in (calls.run, meetings.run, webrtc.run, ws_hub.run):
                group.create_task(flow(place, rounds))


def open_hub(process: Chat, account: Account, online: set[str]) -> ChatSocket:
    """A socket of ws-hub; these are online then. ``close_sockets`` ends it."""
    base = "ws" + process.server.base_url.removeprefix("http")
    socket = ChatSocket.open(f"{base}/compat/ws-hub/ws", process.context)
    process.sockets.append(socket)
    socket.send({"type": "AUTH", "payload": {"token": account.token}})
    assert socket.expect("AUTH_SUCCESS")["payload"]["userId"] == account.id
    assert set(socket.expect("ONLINE_USERS")["payload"]["userIds"]) == online
    return socket


def connect_packet(user: str) -> str:
    """Asks to be let in to the namespace of the meetings."""
    return f"40{MEETINGS},{json.dumps({'token': external_token(userId=user)})}"


def join_packet(meeting: str) -> str:
    """Joins a meeting and wants to know when that is done."""
    return f"42{MEETINGS},1{json.dumps(['join-meeting', {'meetingId': meeting}])}"


def new_meeting(process: Chat) -> str:
    """A meeting of somebody."""
    answer = process.post("/api/meetings", headers={"Authorization": f"Bearer {external_token(userId=unique('eva'))}"})
    assert answer.status_code == 201, answer.text
    meeting = answer.json()["meeting"]["id"]
    assert isinstance(meeting, str)
    return meeting


async def join(socket: EngineSocket, user: str, meeting: str) -> None:
    """Join a meeting by hand."""
    await socket.send(connect_packet(user), join_packet(meeting))
    while await socket.next() != f'43{MEETINGS},1[{{"ok":true}}]':
        pass


@pytest.mark.parametrize("transports", [("websocket",), ("polling",), ("polling", "websocket")], ids="+".join)
@pytest.mark.parametrize("first", [0, 1])
@scenario
async def test_people_at_two_processes(siblings: list[Chat], transports: tuple[str, ...], first: int) -> None:
    await run_flows(siblings[first], siblings[1 - first], transports)


@scenario
async def test_a_session_polls_at_any_process(siblings: list[Chat]) -> None:
    one, other = (Engine(process, "/socket.io/") for process in siblings)
    async with one.client() as client:
        for first, second in ((one, other), (other, one)):
            sid = json.loads((await client.get(first.url(OPEN))).text[1:])["sid"]
            here, there = (PollingSession(engine, client, sid) for engine in (first, second))
            await there.say(connect_packet(unique("ana")))
            assert (await here.next()).startswith(f"40{MEETINGS},")
            meeting = await asyncio.to_thread(new_meeting, second.chat)
            await here.say(join_packet(meeting))
            while '["joined",' not in await there.next():
                pass


@scenario
async def test_a_session_is_upgraded_at_any_process(siblings: list[Chat]) -> None:
    one, other = (Engine(process, "/socket.io/") for process in siblings)
    for first, second in ((one, other), (other, other), (other, one)):
        async with first.polling() as session, second.websocket(session.upgrade_query) as socket:
            await socket.send("2probe")
            await socket.expect("3probe")
            await socket.send("5")
            await join(socket, unique("ana"), await asyncio.to_thread(new_meeting, first.chat))


def test_a_client_that_vanishes_is_gone_everywhere(siblings: list[Chat]) -> None:
    home, edge = siblings
    ana, beto = Sibling(home, "ws-hub").accounts("ana", "beto")
    for one, other in ((home, edge), (edge, home)):
        hers = open_hub(one, ana, {ana.id})
        his = open_hub(other, beto, {ana.id, beto.id})
        assert hers.expect("USER_ONLINE")["payload"]["userId"] == beto.id
        his.abort()
        assert hers.expect("USER_OFFLINE")["payload"] == {"userId": beto.id}
        hers.close()
        nobody = open_hub(one, beto, {beto.id})
        nobody.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_people_at_a_process_that_dies_are_gone(start: Start, kind: str) -> None:
    home, edge = start(kind)
    ana, beto = Sibling(home, "ws-hub").accounts("ana", "beto")
    hers = open_hub(home, ana, {ana.id})
    open_hub(edge, beto, {ana.id, beto.id})
    hers.expect("USER_ONLINE")
    edge.server.kill()
    assert hers.receive(GONE_SECONDS) == {"type": "USER_OFFLINE", "payload": {"userId": beto.id}}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("end", ["kill", "stop"])
@scenario
async def test_people_come_back_when_the_home_is_gone(start: Start, kind: str, end: str) -> None:
    home, *others = await asyncio.to_thread(start, kind, 3)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(Engine(other, "/socket.io/").opened()) for other in others]
        meeting = await asyncio.to_thread(new_meeting, home)
        for socket in sockets:
            await join(socket, unique("ana"), meeting)
        await asyncio.to_thread(home.server.kill if end == "kill" else home.server.stop)
        for socket in sockets:
            assert await socket.closed() == SERVICE_RESTART
    await asyncio.to_thread(wait_for_home, others)
    one, other = others
    await run_flows(one, other, ("websocket",), 1)
    await run_flows(other, one, ("websocket",), 1)


@scenario
async def test_sockets_that_another_server_carries(servers: ServerPool, redis: RedisServer, start: Start) -> None:
    home, edge = await asyncio.to_thread(start, "sqlite")
    settings = {"REDIS_URL": redis.url, **SETTINGS}
    carried = servers.prepare(transport="asgi", database=home.database, settings=settings)
    await asyncio.to_thread(carried.server.start)
    await asyncio.to_thread(wait_for_home, [carried])
    meeting = await asyncio.to_thread(new_meeting, carried)
    async with Engine(carried, "/socket.io/").opened() as hers, Engine(edge, "/socket.io/").opened() as his:
        await join(hers, unique("ana"), meeting)
        await join(his, unique("beto"), meeting)
        assert str(await hers.next()).startswith(f'42{MEETINGS},["user-joined",')
    ana = Sibling(home, "ws-hub").account()
    socket = await asyncio.to_thread(open_hub, carried, ana, {ana.id})
    await asyncio.to_thread(socket.close)
