"""A client that sends, drops, comes back and asks for what it missed, at random but by a seed."""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import httpx
from harness.chat import User
from reliability.history import ClientRecord, Message
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

RETRY_SECONDS = 0.05
# Beyond it something hangs, which is a failure too.
SETTLE_SECONDS = 60.0
# What a server that is away, or goes away, looks like.
GONE = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, EOFError, TimeoutError, httpx.TransportError)


async def finished(request: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    """Wait for a request, also when cancelled: one that is cancelled while it connects leaves its socket open."""
    task = asyncio.create_task(request)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        # Whatever became of it, nobody wants to know.
        task.cancelled() or task.exception()
        raise


class Client:
    """One user's client in one room.

    Args:
        base_url: where the service is at the moment; None while it is away.
    """

    def __init__(
        self, seed: str, user: User, room_id: int, http: httpx.AsyncClient, base_url: Callable[[], str | None]
    ) -> None:
        self.record = ClientRecord(user.username)
        self._random = random.Random(seed)
        self._user = user
        self._room_id = room_id
        self._http = http
        self._base_url = base_url
        self._unacknowledged: dict[str, None] = {}
        self._progress = asyncio.Event()

    @property
    def last(self) -> int:
        """The last place it has seen."""
        return self.record.seen[-1].seq if self.record.seen else 0

    # Life ---------------------------------------------------------------------------------------------------------

    async def misbehave(self, is_over: asyncio.Event) -> None:
        """Connect, send, drop and come back until it is over."""
        while not is_over.is_set():
            await self._session(lambda socket: self._talk(socket, is_over))

    async def settle(self) -> None:
        """Send what was not acknowledged until it is."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while self._unacknowledged:
                await self._session(self._insist)

    async def catch_up(self, last: int) -> None:
        """Read until that place."""

        async def read(_: ClientConnection) -> None:
            while self.last < last:
                await self._moved()

        async with asyncio.timeout(SETTLE_SECONDS):
            while self.last < last:
                await self._session(read)

    async def _session(self, behave: Callable[[ClientConnection], Any]) -> None:
        base = self._base_url()
        if base is None:
            await asyncio.sleep(RETRY_SECONDS)
            return
        address = base.replace("http", "ws", 1)
        url = f"{address}/api/ws/{self._room_id}?token={self._user.token}&since_seq={self.last}"
        try:
            async with (
                connect(url, proxy=None, compression=None, max_size=None, max_queue=None) as socket,
                asyncio.TaskGroup() as tasks,
            ):
                reading = tasks.create_task(self._read(socket))
                try:
                    await behave(socket)
                finally:
                    reading.cancel()
        except* GONE:
            await asyncio.sleep(RETRY_SECONDS * self._random.random())

    async def _talk(self, socket: ClientConnection, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            await asyncio.sleep(self._random.expovariate(100))
            match self._random.random():
                case chance if chance < 0.80:
                    await self._send(socket, self._new_message())
                case chance if chance < 0.88 and self._unacknowledged:
                    # Impatient: the same one again, before the answer.
                    await self._send(socket, next(iter(self._unacknowledged)))
                case chance if chance < 0.93:
                    await self._send_over_rest(self._new_message())
                case chance if chance < 0.97:
                    await self._vanish(socket)
                    return

    async def _insist(self, socket: ClientConnection) -> None:
        for name in list(self._unacknowledged):
            await self._send(socket, name)
        while self._unacknowledged:
            await self._moved()

    async def _moved(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    async def _vanish(self, socket: ClientConnection) -> None:
        """Cut the connection, sometimes in the middle of a frame."""
        if self._random.random() < 0.5:
            # A masked text frame of 16 bytes, of which five come; unless the other side has ended it already.
            with suppress(RuntimeError):
                socket.transport.write(b"\x81\x90abcd12345")
            await asyncio.sleep(0)
        socket.transport.abort()

    # Sending ------------------------------------------------------------------------------------------------------

    def _new_message(self) -> str:
        name = f"{self._user.username}-{len(self.record.sent)}"
        self.record.sent.append(name)
        self._unacknowledged[name] = None
        return name

    async def _send(self, socket: ClientConnection, name: str) -> None:
        await socket.send(json.dumps({"type": "message", "content": name, "client_id": name}))

    async def _send_over_rest(self, name: str) -> None:
        base = self._base_url()
        if base is None:
            return
        url = f"{base}/api/rooms/{self._room_id}/messages"
        headers = {**self._user.headers, "Idempotency-Key": name}
        with suppress(httpx.TransportError):
            answer = await finished(self._http.post(url, json={"content": name}, headers=headers))
            if answer.status_code == httpx.codes.CREATED:
                sent = answer.json()
                self._acknowledge(Message(sent["seq"], sent["id"], sent["content"]))
            else:
                # The database is away.
                assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text

    def _acknowledge(self, message: Message) -> None:
        self.record.acknowledged.append(message)
        self._unacknowledged.pop(message.content, None)
        self._progress.set()

    # Reading ------------------------------------------------------------------------------------------------------

    async def _read(self, socket: ClientConnection) -> None:
        while True:
            frame = json.loads(await socket.recv())
            match frame["type"]:
                case "message":
                    await self._take(socket, Message(frame["seq"], frame["id"], frame["content"]))
                case "ack":
                    self._acknowledge(Message(frame["seq"], frame["id"], frame["client_id"]))
                case "resumed":
                    self.record.resumes[frame["complete"]] += 1
                    if not frame["complete"]:
                        await self._read_history(frame["to"])
                case "error":
                    # Not stored, or nobody knows: it is sent again later.
                    assert frame["message"] == "Servicio no disponible temporalmente", frame

    async def _take(self, socket: ClientConnection, message: Message) -> None:
        if message.seq > self.last + 1:
            # Something was stored that nobody was told of. What is behind it comes again.
            self.record.gaps += 1
            await socket.send(json.dumps({"type": "resume", "since_seq": self.last}))
            while json.loads(frame := await socket.recv())["type"] != "resumed":
                pass
            resumed = json.loads(frame)
            assert resumed["complete"], resumed
            return
        self.record.seen.append(message)
        self._progress.set()

    async def _read_history(self, to: int) -> None:
        base = self._base_url()
        while self.last < to:
            request = self._http.get(
                f"{base}/api/rooms/{self._room_id}/messages",
                params={"after_seq": self.last, "before_seq": to + 1, "limit": 100},
                headers=self._user.headers,
            )
            answer = await finished(request)
            if answer.status_code != httpx.codes.OK:
                raise ConnectionError(answer.text)
            for item in answer.json():
                self.record.seen.append(Message(item["seq"], item["id"], item["content"]))
        self._progress.set()
