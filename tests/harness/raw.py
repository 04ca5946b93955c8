"""A WebSocket connection by hand (RFC 6455), for what a well-behaved client never sends.

It masks, fragments and breaks frames at will, reads frames without answering them, and may stop reading altogether.
"""

import base64
import os
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
RECEIVE_SECONDS = 20.0


def encode_frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """One frame as a client sends it."""
    first = (0x80 if final else 0) | (reserved << 4) | opcode
    mask_bit = 0x80 if masked else 0
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, mask_bit | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, mask_bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    repeated = key * (length // 4 + 1)
    scrambled = (int.from_bytes(payload) ^ int.from_bytes(repeated[:length])).to_bytes(length)
    return head + key + scrambled


@dataclass(frozen=True)
class RawFrame:
    """One frame from the server."""

    final: bool
    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        """The code of a Close frame; 1005 if it carries none."""
        assert self.opcode == CLOSE, self
        return int.from_bytes(self.payload[:2]) if self.payload else 1005

    @property
    def close_reason(self) -> str:
        """The reason of a Close frame."""
        return self.payload[2:].decode()


class RawSocket:
    """A TCP (or TLS) connection after, or during, an upgrade request."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.target = parts.path + (f"?{parts.query}" if parts.query else "")
        self.host = parts.netloc
        plain = socket.socket()
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(RECEIVE_SECONDS)
        plain.connect((parts.hostname, parts.port or 80))
        self.socket = plain if context is None else context.wrap_socket(plain, server_hostname=parts.hostname)
        self._buffer = b""

    @classmethod
    def open(cls, url: str, context: ssl.SSLContext | None = None, receive_buffer: int | None = None) -> Self:
        """Connect and finish the handshake."""
        raw = cls(url, context, receive_buffer)
        raw.socket.sendall(raw.request())
        status, _ = raw.read_response()
        assert status == 101, status
        return raw

    def request(self, *more: str) -> bytes:
        """The upgrade request."""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {self.target} HTTP/1.1",
            f"Host: {self.host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *more,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def read_response(self) -> tuple[int, str]:
        """Status and head of the answer; what follows stays in the buffer."""
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        return int(head.split()[1]), head.decode("latin-1")

    def _fill(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data

    def take(self, count: int) -> bytes:
        """The next bytes."""
        while len(self._buffer) < count:
            self._fill()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def send(self, opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True) -> None:
        """Send one frame."""
        self.socket.sendall(encode_frame(opcode, payload, final=final, masked=masked))

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self.socket.sendall(data)

    def read_frame(self) -> RawFrame:
        """The next frame, whatever it is."""
        first, second = self.take(2)
        length = second & 0x7F
        assert not second & 0x80, "a server must not mask"
        if length == 126:
            length = int.from_bytes(self.take(2))
        elif length == 127:
            length = int.from_bytes(self.take(8))
        return RawFrame(bool(first & 0x80), first & 0x0F, self.take(length))

    def read_until(self, opcode: int) -> RawFrame:
        """Skip frames until one of this kind."""
        while True:
            frame = self.read_frame()
            if frame.opcode == opcode:
                return frame

    def read_end(self) -> bytes:
        """What comes until the server ends the connection; a reset counts as an end."""
        try:
            while True:
                self._fill()
        except (EOFError, ConnectionError, ssl.SSLError):
            return self._buffer

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close()

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
