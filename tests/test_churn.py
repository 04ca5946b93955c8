"""Thousands of connects and ends of every kind leave nothing behind, on every event loop and HTTP parser of uvicorn."""

import contextlib
from itertools import cycle
from pathlib import Path

import psutil
import pytest
from harness.chat import Chat, User
from harness.pool import ServerPool
from harness.raw import CLOSE, TEXT, RawSocket, encode_frame
from harness.waiting import wait_until

CONNECTS = 2000
CONNECTS_WITH_TLS = 200
MEGABYTE = 1 << 20
GROWTH_ALLOWED = 24 * MEGABYTE


def end_one(chat: Chat, room: int, user: User, way: str) -> None:
    """Open a socket and end it, or break off earlier."""
    url = chat.socket_url(room, user.token)
    if way == "no request":
        RawSocket(url, chat.context).close()
        return
    raw = RawSocket(url, chat.context)
    raw.send_bytes(raw.request()[:60] if way == "half a request" else raw.request())
    if way in {"half a request", "no answer awaited"}:
        raw.reset()
        return
    assert raw.read_response()[0] == 101
    match way:
        case "close":
            raw.send(CLOSE, b"\x03\xe8")
            raw.read_until(CLOSE)
            raw.close()
        case "fin":
            raw.close()
        case "reset":
            raw.reset()
        case "reset while writing":
            raw.send_bytes(encode_frame(TEXT, b'{"type":"ping"}') * 20)
            raw.reset()


def churn(chat: Chat, room: int, user: User, count: int) -> None:
    """End ``count`` connections in every way in turn."""
    ways = [
        "close",
        "fin",
        "reset",
        "reset while writing",
        "close",
        "no answer awaited",
        "half a request",
        "no request",
    ]
    for _, way in zip(range(count), cycle(ways), strict=False):
        end_one(chat, room, user, way)


def assert_chat_works(chat: Chat, room: int, *users: User) -> None:
    """Two users talk."""
    sockets = chat.connect_all(room, *users)
    sockets[0].say("hola")
    assert [socket.expect("message")["content"] for socket in sockets] == ["hola"] * len(sockets)
    chat.close_sockets()


def open_descriptors(process: psutil.Process) -> int:
    """How many there are, without the database's files: its pool opens a further reader when one is needed."""
    count = 0
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += ".db" not in descriptor.readlink().name
    return count


def check_churn(chat: Chat, connects: int) -> None:
    """After a warm-up, ``connects`` ends leave descriptors, threads, presence and memory as they were."""
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    assert_chat_works(chat, room, ana, beto)
    process = psutil.Process(chat.server.process.pid)
    churn(chat, room, beto, connects // 4)
    wait_until(lambda: chat.online(room, ana) == [], "the warm-up to be gone")
    wait_until(lambda: len(process.net_connections(kind="tcp")) <= 2, "the connections of the warm-up to be closed")
    descriptors, threads, memory = open_descriptors(process), process.num_threads(), process.memory_info().rss
    churn(chat, room, beto, connects)
    wait_until(lambda: chat.online(room, ana) == [], "everybody to be gone")
    wait_until(lambda: open_descriptors(process) <= descriptors, f"descriptors to be {descriptors} again", 20)
    assert process.num_threads() <= threads + 4, "threads pile up"
    growth = process.memory_info().rss - memory
    assert growth < GROWTH_ALLOWED, f"{growth / MEGABYTE:.1f} MiB more resident memory"
    assert_chat_works(chat, room, ana, beto)
    assert chat.server.stop() < 8


@pytest.mark.parametrize("parser", ["httptools", "h11"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_nothing_is_left_behind(servers: ServerPool, loop: str, parser: str) -> None:
    chat = servers.prepare("sqlite", "--loop", loop, "--http", parser)
    chat.server.start()
    check_churn(chat, CONNECTS)


def test_nothing_is_left_behind_by_the_fall_back(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", transport="asgi")
    chat.server.start()
    check_churn(chat, CONNECTS_WITH_TLS)
