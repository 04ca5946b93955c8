"""The five announcements and the one for devices: section 3 of the contract, through the official Python client."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from harness.engine import scenario
from harness.listening import SocketIoClient, refused_with
from harness.raw import RawSocket
from harness.siblings import Sibling

NAMESPACES = ["/compat/calls", "/"]


class Listener:
    """A client that notes what it hears."""

    def __init__(self, client: socketio.AsyncClient, namespace: str) -> None:
        self._heard: asyncio.Queue[tuple[str, tuple[Any, ...]]] = asyncio.Queue()
        client.on("*", self._note, namespace=namespace)

    async def _note(self, event: str, *arguments: Any) -> None:
        await self._heard.put((event, arguments))

    async def expect(self, event: str) -> dict[str, Any]:
        name, arguments = await asyncio.wait_for(self._heard.get(), 10)
        assert (name, len(arguments), list(arguments[0])) == (event, 1, ["data"])
        data = arguments[0]["data"]
        assert isinstance(data, dict)
        assert not {"token", "url"} & data.keys()
        return data

    def heard_nothing_more(self) -> bool:
        return self._heard.empty()


@asynccontextmanager
async def listening(calls: Sibling, token: str | None, namespace: str) -> AsyncIterator[Listener]:
    client = SocketIoClient(reconnection=False)
    listener = Listener(client, namespace)
    auth = {} if token is None else {"token": token}
    await client.connect(
        calls.chat.server.base_url, auth=auth, namespaces=[namespace], transports=["websocket"], wait_timeout=10
    )
    try:
        yield listener
    finally:
        await client.disconnect()


async def go_through(caller: Any, *listeners: Listener) -> None:
    """Every change once, and what is announced of it to everybody."""

    async def announced(event: str) -> dict[str, Any]:
        first, *rest = [await listener.expect(event) for listener in listeners]
        assert all(other == first for other in rest)
        return first

    async def make(path: str, **body: Any) -> dict[str, Any]:
        return await asyncio.to_thread(lambda: caller.post(path, **body).json())

    ana = await make("/users", name="Ana")
    assert await announced("user.registered") == {"id": ana["id"], "name": "Ana"}
    beto = await make("/users", name="Beto")
    await announced("user.registered")
    call = await make("/calls", fromUserId=ana["id"], toUserId=beto["id"])
    assert await announced("call.started") == {key: call[key] for key in call if key not in {"token", "url"}}
    for _ in range(2):
        await make(f"/calls/{call['id']}/end")
    assert await announced("call.ended") == {"callId": call["id"]}
    room = await make("/rooms", name="Sala")
    assert await announced("room.created") == room
    for _ in range(2):
        await make(f"/rooms/{room['id']}/join", userId=ana["id"])
        assert await announced("room.joined") == {"roomId": room["id"], "userId": ana["id"]}
    await make("/users", name="")
    await make("/calls", fromUserId=ana["id"], toUserId="x")
    await make(f"/users/{ana['id']}/attach-device", sipPeer="1001")
    device = await announced("device.updated")
    assert (device["peer"], device["userId"]) == ("1001", ana["id"])
    assert all(listener.heard_nothing_more() for listener in listeners)


@scenario
async def test_everybody_hears_every_change(ana: Any, beto: Any) -> None:
    async with (
        listening(ana.calls, ana.token, NAMESPACES[0]) as first,
        listening(ana.calls, f"Bearer {beto.token}", NAMESPACES[1]) as second,
    ):
        await go_through(ana, first, second)


@scenario
async def test_open_mode_asks_for_no_token(anybody: Any) -> None:
    async with (
        listening(anybody.calls, None, NAMESPACES[0]) as first,
        listening(anybody.calls, None, NAMESPACES[1]) as second,
    ):
        await go_through(anybody, first, second)


@scenario
async def test_the_announcement_comes_before_the_answer(anybody: Any) -> None:
    async with listening(anybody.calls, None, NAMESPACES[0]) as listener:
        for number in range(20):
            anybody.post("/users", name=str(number))
        for number in range(20):
            assert (await listener.expect("user.registered"))["name"] == str(number)


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("token", [None, "", "abc"])
def test_secure_mode_refuses_strangers(calls: Sibling, namespace: str, token: str | None) -> None:
    assert asyncio.run(refused_with(calls.chat, namespace, token)) == {"message": "Authentication error"}


def test_the_announcement_is_written_before_the_answer(anybody: Any) -> None:
    chat = anybody.calls.chat
    url = "ws" + chat.server.base_url.removeprefix("http") + "/socket.io/?EIO=4&transport=websocket"
    ids = [anybody.post("/users", name=name).json()["id"] for name in ("Ana", "Beto")]
    requests = {
        "call.started": ("/calls", {"fromUserId": ids[0], "toUserId": ids[1]}),
        "user.registered": ("/users", {"name": "Carla"}),
        "room.created": ("/rooms", {"name": "Sala"}),
    }
    with RawSocket.open(url, chat.context) as listener:
        listener.read_frame()
        listener.send(1, b"40/compat/calls,")
        assert listener.read_frame().payload.startswith(b"40/compat/calls,{")
        for _ in range(150):
            for event, (path, body) in requests.items():
                assert anybody.post(path, **body).status_code in {200, 201}
                # What has been written to a socket of this machine can be read at once.
                assert f'"{event}"'.encode() in listener.socket.recv(65536, socket.MSG_DONTWAIT)
