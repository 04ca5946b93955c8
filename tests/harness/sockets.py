"""A WebSocket client that speaks the frames of the service, and proves silence without waiting.

It stands on the PyPI package ``websockets``: a real TCP connection and an implementation independent of ours.
"""

import json
import socket
import ssl
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

RECEIVE_SECONDS = 10.0

Frame = dict[str, Any]


class ChatSocket:
    """One open socket of one user."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, url: str, context: ssl.SSLContext | None, **options: Any) -> Self:
        """Open a socket; raises ``InvalidStatus`` if the handshake is refused."""
        settings: dict[str, Any] = {
            "ssl": context,
            "proxy": None,
            "max_size": None,
            "open_timeout": 20,
            "close_timeout": 5,
            "ping_interval": None,
            # Frames are taken off the wire at once: how a slow reader fares is a test of its own.
            "max_queue": None,
            **options,
        }
        # The connection wants to be entered; it is left by `close`, not at the end of a block.
        return cls(ExitStack().enter_context(connect(url, **settings)))

    # Sending ------------------------------------------------------------------------------------------------------

    def send(self, frame: object) -> None:
        """Send a value as a JSON text frame."""
        self._connection.send(json.dumps(frame))

    def send_raw(self, data: str | bytes) -> None:
        """Send a text or binary frame as it is."""
        self._connection.send(data)

    def say(self, content: str, **more: object) -> None:
        """Send a chat message."""
        self.send({"type": "message", "content": content, **more})

    # Receiving ----------------------------------------------------------------------------------------------------

    def receive_text(self, seconds: float = RECEIVE_SECONDS) -> str:
        """The next frame as it came."""
        try:
            text = self._connection.recv(timeout=seconds)
        except TimeoutError:
            raise AssertionError(f"no frame within {seconds} s") from None
        assert isinstance(text, str), "the service sends text frames only"
        return text

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
                frames.append(json.loads(self._connection.recv(timeout=seconds)))
            except TimeoutError:
                raise AssertionError(f"not closed within {seconds} s; got {frames}") from None
            except ConnectionClosed as closed:
                end = closed.rcvd
                return (1006, "", frames) if end is None else (end.code, end.reason, frames)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close from our side; idempotent."""
        self._connection.close(code, reason)

    def abort(self) -> None:
        """Drop the connection without a Close frame, with a TCP reset."""
        self._connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._connection.socket.shutdown(socket.SHUT_RDWR)
        self._connection.socket.close()

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
