"""Engine.IO and Socket.IO by hand: raw requests and raw frames, through the packages httpx and websockets."""

import asyncio
import functools
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.chat import Chat

CLOSE_SECONDS = 10.0
RECEIVE_SECONDS = 10.0


def scenario(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an asynchronous test on an event loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(_run(test(**fixtures)))

    return run


async def _run(test: Awaitable[None]) -> None:
    await test
    # A client that closes a TLS connection does not wait for the server's goodbye; a loop that ends before it leaves
    # the connection to the garbage collector, in whatever test runs then. One entry is the loop's own.
    selector = getattr(asyncio.get_running_loop(), "_selector")  # noqa: B009
    async with asyncio.timeout(CLOSE_SECONDS):
        while len(selector.get_map()) > 1:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.005)


@dataclass
class EngineSocket:
    """A WebSocket to the engine."""

    connection: ClientConnection

    async def send(self, *messages: str | bytes) -> None:
        """Send messages as they are."""
        for message in messages:
            await self.connection.send(message)

    async def receive(self) -> str | bytes:
        """The next message, pings included."""
        return await asyncio.wait_for(self.connection.recv(), RECEIVE_SECONDS)

    async def next(self) -> str | bytes:
        """The next message but pings, which are answered."""
        while (message := await self.receive()) == "2":
            await self.send("3")
        return message

    async def expect(self, *messages: str | bytes) -> None:
        """Check what comes next."""
        for message in messages:
            assert await self.next() == message

    async def closed(self, *, answering: bool = True) -> int:
        """Wait for the end, dropping what comes before; gives the close code."""
        try:
            while True:
                await (self.next() if answering else self.receive())
        except ConnectionClosed as end:
            return 1006 if end.rcvd is None else end.rcvd.code

    async def connect(self, namespace: str = "", auth: str = "") -> str:
        """Join a namespace of the conformance suite; gives the socket's id."""
        prefix = f"{namespace}," if namespace else ""
        await self.send(f"40{prefix}{auth}")
        answer = await self.next()
        assert isinstance(answer, str)
        assert answer.startswith(f"40{prefix}"), answer
        await self.expect(f'42{prefix}["auth",{auth or "{}"}]')
        sid = json.loads(answer.removeprefix(f"40{prefix}"))["sid"]
        assert isinstance(sid, str)
        return sid


@dataclass
class Engine:
    """A server whose engine is under test, at one path."""

    chat: Chat
    path: str

    @property
    def context(self) -> ssl.SSLContext | None:
        """The TLS context, if the server speaks TLS."""
        return self.chat.context

    def url(self, query: str) -> str:
        """An address for requests."""
        return f"{self.chat.server.base_url}{self.path}?{query}"

    @asynccontextmanager
    async def websocket(self, query: str = "EIO=4&transport=websocket") -> AsyncIterator[EngineSocket]:
        """Open a WebSocket."""
        address = "ws" + self.url(query).removeprefix("http")
        async with connect(address, ssl=self.context, proxy=None, compression=None, max_size=None) as connection:
            yield EngineSocket(connection)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[EngineSocket]:
        """Open a WebSocket and read the handshake."""
        async with self.websocket() as socket:
            message = await socket.receive()
            assert isinstance(message, str)
            assert message.startswith("0")
            yield socket

    async def refused_websocket(self, query: str) -> int:
        """Try a WebSocket that must be refused; gives the status."""
        try:
            async with self.websocket(query):
                raise AssertionError("the WebSocket was opened")
        except InvalidStatus as error:
            return error.response.status_code

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client for requests."""
        verify = True if self.context is None else self.context
        async with httpx.AsyncClient(verify=verify, timeout=30, trust_env=False) as client:
            yield client

    @asynccontextmanager
    async def polling(self) -> AsyncIterator["PollingSession"]:
        """Open a session that polls."""
        async with self.client() as client:
            answer = await client.get(self.url("EIO=4&transport=polling"))
            assert answer.status_code == 200, answer.text
            yield PollingSession(self, client, json.loads(answer.text[1:])["sid"])


@dataclass
class PollingSession:
    """A session that polls."""

    engine: Engine
    client: httpx.AsyncClient
    sid: str

    @property
    def url(self) -> str:
        """Where its requests go."""
        return self.engine.url(f"EIO=4&transport=polling&sid={self.sid}")

    @property
    def upgrade_query(self) -> str:
        """What a WebSocket that takes over asks for."""
        return f"EIO=4&transport=websocket&sid={self.sid}"

    async def get(self) -> httpx.Response:
        """GET."""
        return await self.client.get(self.url)

    async def post(self, body: str | bytes) -> httpx.Response:
        """POST."""
        return await self.client.post(self.url, content=body)

    async def say(self, body: str) -> None:
        """POST what must be accepted."""
        answer = await self.post(body)
        assert (answer.status_code, answer.text) == (200, "ok")

    async def next(self) -> str:
        """What the next GET brings but pings, which are answered."""
        while True:
            answer = await self.get()
            assert answer.status_code == 200, answer.text
            packets = answer.text.split("\x1e")
            if "2" in packets:
                packets.remove("2")
                await self.say("3")
            if packets:
                return "\x1e".join(packets)

    async def gone(self) -> None:
        """Check that the session has ended."""
        answer = await self.get()
        assert (answer.status_code, answer.json()) == (400, {"code": 1, "message": "Session ID unknown"})
