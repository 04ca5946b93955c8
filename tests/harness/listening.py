"""Clients that hear events: Socket.IO through the official Python package, and sockets whose frames are JSON."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import engineio
import socketio
from websockets.asyncio.client import ClientConnection, connect

from harness.chat import Chat

HEAR_SECONDS = 10.0


class _Engine(engineio.AsyncClient):
    """The engine of the package, which leaves the answers to its POSTs unread.

    A connection whose answer was still on its way at the end would be found by the garbage collector, in whatever
    test runs then.
    """

    async def _send_request(self, *arguments: Any, **options: Any) -> Any:
        answer = await super()._send_request(*arguments, **options)
        if isinstance(answer, aiohttp.ClientResponse):
            with contextlib.suppress(aiohttp.ClientError):
                await answer.read()
        return answer


class SocketIoClient(socketio.AsyncClient):
    """The official Python client."""

    def _engineio_client_class(self) -> type[engineio.AsyncClient]:
        return _Engine

    async def disconnect(self) -> None:
        """End the connection, behind what is being sent.

        While a POST is under way, the client's own way would end the loop that sends, and with it the goodbye.
        """
        if self.eio.state == "connected":
            await asyncio.wait_for(self.eio.queue.join(), HEAR_SECONDS)
        await super().disconnect()


class Listener:
    """A client of Socket.IO in one namespace, and the events it has heard and nobody has asked for yet."""

    def __init__(self, client: socketio.AsyncClient, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._heard: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        client.on("*", self._note, namespace=namespace)

    async def _note(self, *event: Any) -> None:
        await self._heard.put(event)

    @property
    def id(self) -> str:
        """The id of its socket."""
        found = self._client.get_sid(self._namespace)
        assert isinstance(found, str)
        return found

    @property
    def transport(self) -> str:
        """What it speaks over now."""
        found = self._client.transport()
        assert isinstance(found, str)
        return found

    async def emit(self, event: str, payload: Any) -> None:
        """Emit, and wait for nothing."""
        await self._client.emit(event, payload, namespace=self._namespace)

    async def call(self, event: str, payload: Any = None) -> Any:
        """Emit, and give the acknowledgement."""
        return await self._client.call(event, payload, namespace=self._namespace, timeout=HEAR_SECONDS)

    async def next(self) -> tuple[Any, ...]:
        """The next event: its name and its arguments."""
        return await asyncio.wait_for(self._heard.get(), HEAR_SECONDS)

    async def expect(self, event: str) -> Any:
        """The one argument of the next event, which must be of this name."""
        heard = await self.next()
        assert (heard[0], len(heard)) == (event, 2), f"expected {event}, heard {heard}"
        return heard[1]

    @property
    def has_heard_all(self) -> bool:
        """Whether nothing has come that was not expected."""
        return self._heard.empty()

    async def leave(self) -> None:
        """End the connection."""
        await self._client.disconnect()


@asynccontextmanager
async def listening(
    chat: Chat, namespace: str, token: str | None, transports: Sequence[str] = ("websocket",)
) -> AsyncIterator[Listener]:
    """Connect to a namespace; disconnected at the end unless it has left by itself."""
    # The certificates of the suite are its own.
    client = SocketIoClient(reconnection=False, ssl_verify=chat.context is None)
    listener = Listener(client, namespace)
    await client.connect(
        chat.server.base_url,
        auth={} if token is None else {"token": token},
        namespaces=[namespace],
        transports=list(transports),
        socketio_path=f"{chat.server.prefix}/socket.io",
        wait_timeout=HEAR_SECONDS,
    )
    try:
        yield listener
    finally:
        await client.disconnect()


async def refused_with(chat: Chat, namespace: str, token: str | None) -> object:
    """Try to connect to a namespace; gives the payload of the refusal."""
    client = SocketIoClient(reconnection=False)
    refusals: list[object] = []
    client.on("connect_error", refusals.append, namespace=namespace)
    try:
        await client.connect(
            chat.server.base_url,
            auth={"token": token},
            namespaces=[namespace],
            transports=["websocket"],
            wait_timeout=HEAR_SECONDS,
        )
    except socketio.exceptions.ConnectionError:
        assert len(refusals) == 1
        return refusals[0]
    await client.disconnect()
    raise AssertionError("the client was let in")


class FrameSocket:
    """A WebSocket whose frames are objects with a ``type``."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, frame: dict[str, Any]) -> None:
        """Send a frame."""
        await self._connection.send(json.dumps(frame))

    async def expect(self, kind: str) -> dict[str, Any]:
        """The next frame, which must be of this type."""
        frame = json.loads(await asyncio.wait_for(self._connection.recv(), HEAR_SECONDS))
        assert isinstance(frame, dict)
        assert frame["type"] == kind, f"expected {kind}, heard {frame}"
        return frame


@asynccontextmanager
async def framed(chat: Chat, path: str) -> AsyncIterator[FrameSocket]:
    """Open a WebSocket at a path."""
    address = "ws" + chat.server.base_url.removeprefix("http") + path
    async with connect(address, ssl=chat.context, proxy=None, max_size=None, open_timeout=HEAR_SECONDS) as connection:
        yield FrameSocket(connection)
