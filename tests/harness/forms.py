"""Forms with files, built by hand where a well-behaved client would not send them, and sample files."""

import select
import socket
import struct
import zlib
from collections.abc import Iterable, Iterator
from http.client import HTTPResponse

from harness.chat import Chat, User

BOUNDARY = "limite-de-prueba"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(disposition: str, content: bytes = b"hola", content_type: str | None = "text/plain") -> bytes:
    """One part, up to the line break before the next boundary."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n"
    if content_type is not None:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode() + b"\r\n" + content + b"\r\n"


def file_part(
    content: bytes = b"hola", *, field: str = "file", name: str = "nota.txt", content_type: str | None = "text/plain"
) -> bytes:
    """A part that is a file."""
    return part(f'name="{field}"; filename="{name}"', content, content_type)


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def request_head(chat: Chat, user: User, path: str = "/api/uploads/", *headers: str) -> bytes:
    """The head of an upload request, for a connection by hand."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {chat.server.base_url.partition('://')[2]}",
        f"Authorization: Bearer {user.token}",
        f"Content-Type: {CONTENT_TYPE}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def open_connection(chat: Chat) -> socket.socket:
    """A TCP connection to the server."""
    assert chat.server.address is not None
    return socket.create_connection(chat.server.address, timeout=30)


def send_until_answered(connection: socket.socket, pieces: Iterable[bytes]) -> tuple[int, int, bytes]:
    """Send a body in chunks until there is an answer; gives how much was sent, and status and body of the answer.

    Other clients look for an answer only when they have sent everything.
    """
    sent = 0
    for piece in pieces:
        if select.select([connection], [], [], 0)[0]:
            break
        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        sent += len(piece)
    else:
        connection.sendall(b"0\r\n\r\n")
    answer = HTTPResponse(connection)
    answer.begin()
    return sent, answer.status, answer.read()


def in_pieces(body: bytes, size: int = 65_536) -> Iterator[bytes]:
    """A body of unknown length, for requests in chunks."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def png(width: int, height: int, rows: Iterable[bytes] | None = None) -> bytes:
    """A picture in shades of red, green and blue."""
    if rows is None:
        rows = (b"\0" + bytes(value & 255 for x in range(width) for value in (x, y, x + y)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    header = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(rows), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def webp_size(picture: bytes) -> tuple[int, int]:
    """Width and height of a lossless WebP."""
    assert picture[:4] == b"RIFF"
    assert picture[8:16] == b"WEBPVP8L", picture[8:16]
    bits = int.from_bytes(picture[21:25], "little")
    return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
