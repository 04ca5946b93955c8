"""Uploads files over plain connections, and reads what that costs the server from the system."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

from dataset import sign_token
from server import Server

MEGABYTE = 1024 * 1024
_BOUNDARY = "boundary-of-the-benchmark"
_HEAD = (
    f"--{_BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="file"; filename="video.mp4"\r\n'
    "Content-Type: video/mp4\r\n\r\n"
).encode()
_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()
# What a film begins with.
_START = b"\0\0\0\x18ftypmp42"
_PIECE = bytes(MEGABYTE)
_SAMPLE_SECONDS = 0.002


def upload(server: Server, size: int, user: int = 1) -> None:
    """Upload a file of ``size`` bytes."""
    host, _, port = server.address.partition(":")
    length = len(_HEAD) + size + len(_TAIL)
    head = (
        "POST /api/uploads/ HTTP/1.1\r\n"
        f"Host: {server.address}\r\n"
        f"Authorization: Bearer {sign_token(user)}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall(head.encode() + _HEAD + _START)
        left = size - len(_START)
        while left > 0:
            connection.sendall(_PIECE[: min(left, MEGABYTE)])
            left -= MEGABYTE
        connection.sendall(_TAIL)
        answer = HTTPResponse(connection)
        answer.begin()
        body = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"an upload was answered with {answer.status}: {body[:200]!r}")


def start_uploads(pool: ThreadPoolExecutor, server: Server, count: int, size: int) -> list[Future[None]]:
    """Start ``count`` uploads at once."""
    return [pool.submit(upload, server, size) for _ in range(count)]


def cpu_seconds(server: Server) -> float:
    """User and system time of the server so far."""
    fields = Path(f"/proc/{server.plan['pid']}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(server: Server) -> int:
    """Memory of the server that is in use now."""
    pages = Path(f"/proc/{server.plan['pid']}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def watching_memory(server: Server) -> Iterator[list[int]]:
    """Gives a list whose one entry is the largest amount of memory seen meanwhile."""
    peak = [resident_bytes(server)]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            peak[0] = max(peak[0], resident_bytes(server))
            time.sleep(_SAMPLE_SECONDS)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()
