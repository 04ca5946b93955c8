"""A WebSocket client that speaks the frames of the service, and proves silence without waiting.

It stands on the PyPI package ``websockets``: a real TCP connection and an implementation independent of ours. All
connections live on one event loop in a thread of its own; the tests call it and wait. (The package's blocking client
reads and writes from two threads, which TLS connections of Python 3.11 do not stand.)
"""

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness import asyncapi

RECEIVE_SECONDS = 10.0
OPEN_SECONDS = 20.0
CLOSE_SECONDS = 5.0

Frame = dict[str, Any]
Value = TypeVar("Value")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="sockets", daemon=True).start()
    return loop


def _run(work: Coroutine[Any, Any, Value]) -> Value:
    """Wait for work on the loop of the sockets; it bounds its own time."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


class ChatSocket:
    """One open socket of one user."""

    def __init__(self, connection: ClientConnection, *, in_room: bool) -> None:
        self._connection = connection
        # The other kinds of sockets have dialects of their own.
        self._in_room = in_room

    @classmethod
    def open(cls, url: str, context: ssl.SSLContext | None, **options: Any) -> Self:
        """Open a socket; raises ``InvalidStatus`` if the handshake is refused."""
        settings: dict[str, Any] = {
            "ssl": context,
            "proxy": None,
            "max_size": None,
            "open_timeout": OPEN_SECONDS,
            "close_timeout": CLOSE_SECONDS,
            "ping_interval": None,
            # Frames are taken off the wire at once: how a slow reader fares is a test of its own.
            "max_queue": None,
            **options,
        }

        async def enter() -> ClientConnection:
            # The connection wants to be entered; it is left by `close`, not at the end of a block.
            return await AsyncExitStack().enter_async_context(connect(url, **settings))

        return cls(_run(enter()), in_room=asyncapi.is_room(url))

    # Sending ------------------------------------------------------------------------------------------------------

    def send(self, frame: object) -> None:
        """Send a value as a JSON text frame."""
        self.send_raw(json.dumps(frame))

    def send_raw(self, data: str | bytes) -> None:
        """Send a text or binary frame as it is."""
        _run(self._connection.send(data))

    def say(self, content: str, **more: object) -> None:
        """Send a chat message."""
        self.send({"type": "message", "content": content, **more})

    # Receiving ----------------------------------------------------------------------------------------------------

    def receive_text(self, seconds: float = RECEIVE_SECONDS) -> str:
        """The next frame as it came."""
        try:
            text = self._next(seconds)
        except TimeoutError:
            raise AssertionError(f"no frame within {seconds} s") from None
        assert isinstance(text, str), "the service sends text frames only"
        return text

    def _next(self, seconds: float) -> str | bytes:
        data = _run(asyncio.wait_for(self._connection.recv(), seconds))
        if self._in_room:
            asyncapi.check_server_frame(data)
        return data

    def receive(self, seconds: float = RECEIVE_SECONDS) -> Frame:
        """The next frame."""
        frame = json.loads(self.receive_text(seconds))
        assert isinstance(frame, dict), frame
        assert next(iter(frame)) == "type", f"`type` is not the first key of {frame}"
        return frame

    def expect(self, kind: str) -> Frame:
        """The next frame, which must be of this type."""
        frame = self.receive()
        assert frame["type"] == kind, f"expected a `{kind}` frame, got {frame}"
        return frame

    def expect_error(self, message: str) -> None:
        """The next frame must be exactly this error."""
        assert self.receive() == {"type": "error", "message": message}

    def expect_quiet(self) -> None:
        """Nothing but the answer to a ping of ours comes next."""
        self.send({"type": "ping"})
        self.expect("pong")

    def welcomed(self) -> list[int]:
        """Read the two first frames and give the users online."""
        self.expect("welcome")
        users = self.expect("users_online")["users"]
        assert isinstance(users, list)
        return users

    # The end ------------------------------------------------------------------------------------------------------

    def expect_closed(self, seconds: float = RECEIVE_SECONDS) -> tuple[int, str, list[Frame]]:
        """Read until the server closes; gives code, reason and the frames that came before."""
        frames: list[Frame] = []
        while True:
            try:
                frames.append(json.loads(self._next(seconds)))
            except TimeoutError:
                raise AssertionError(f"not closed within {seconds} s; got {frames}") from None
            except ConnectionClosed as closed:
                end = closed.rcvd
                return (1006, "", frames) if end is None else (end.code, end.reason, frames)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close from our side; idempotent."""
        _run(self._connection.close(code, reason))

    def abort(self) -> None:
        """Drop the connection without a Close frame, with a TCP reset."""

        async def reset() -> None:
            transport = self._connection.transport
            plain = transport.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

        _run(reset())

    @property
    def close_code(self) -> int | None:
        """The code the connection ended with."""
        return self._connection.close_code

    @property
    def response(self) -> Any:
        """The answer to the handshake."""
        return self._connection.response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def refused_with(url: str, context: ssl.SSLContext | None, **options: Any) -> tuple[int, bytes]:
    """Try a handshake that must be refused; gives status and body."""
    try:
        ChatSocket.open(url, context, **options).close()
    except InvalidStatus as refusal:
        return refusal.response.status_code, bytes(refusal.response.body or b"")
    raise AssertionError("the handshake was accepted")
