"""Clients that send far more than anybody needs: they have to wait, and nobody else notices."""

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest
from harness.chat import Chat
from harness.pool import ServerPool
from harness.raw import CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, encode_frame
from harness.sockets import ChatSocket

MEBIBYTE = 1 << 20
# A neighbour's ping is answered within this, whatever the flooder does. Generous: other programs share the machine.
PROMPT_SECONDS = 1.0


@pytest.fixture
def strict(servers: ServerPool, transport: str) -> Chat:
    """A server that allows a client 500 frames per second."""
    chat = servers.prepare("sqlite", transport=transport, settings={"SOCKET_MAX_FRAMES_PER_SECOND": "500"})
    chat.server.start()
    return chat


@pytest.fixture
def usual(servers: ServerPool) -> Chat:
    """A server with the default limits and handed-off sockets: elsewhere, pings and fragments are uvicorn's matter."""
    chat = servers.prepare("sqlite")
    chat.server.start()
    return chat


@contextmanager
def in_background(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Run something in a thread, which must end with the block or soon after."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread
    thread.join(20)
    assert not thread.is_alive()


def resident_bytes(chat: Chat) -> int:
    """The memory of the server."""
    return int(psutil.Process(chat.server.process.pid).memory_info().rss)


def slowest_ping(socket: ChatSocket, until: Callable[[], bool]) -> float:
    """Ping until the condition holds, and give the longest time an answer took."""
    slowest = 0.0
    while not until():
        started = time.monotonic()
        socket.expect_quiet()
        slowest = max(slowest, time.monotonic() - started)
    return slowest


def read_pongs(flooder: RawSocket, count: int) -> list[bytes]:
    """The payloads of the next pongs; chat frames between them are skipped."""
    return [flooder.read_until(PONG).payload for _ in range(count)]


def test_a_flood_of_messages_is_slowed_down_and_not_ended(strict: Chat) -> None:
    ana, beto = strict.users("ana", "beto")
    flooder = strict.connect_raw(strict.room(ana), ana)
    neighbour = strict.connect(strict.room(beto), beto)
    started = time.monotonic()
    answered = 0

    def flood() -> None:
        nonlocal answered
        flooder.send_bytes(encode_frame(TEXT, b'{"type":"ping"}') * 2500)
        while answered < 2500:
            answered += b'"pong"' in flooder.read_until(TEXT).payload

    with in_background(flood) as thread:
        slowest = slowest_ping(neighbour, lambda: not thread.is_alive())
    # One second's worth at once, and what one read brings; the others at the rate.
    assert time.monotonic() - started > 2.0
    assert answered == 2500
    assert slowest < PROMPT_SECONDS
    flooder.send(TEXT, b'{"type":"ping"}')
    assert b'"pong"' in flooder.read_until(TEXT).payload
    flooder.close()


def test_a_flood_of_pings_is_answered_in_order_at_the_rate(usual: Chat) -> None:
    ana, beto = usual.users("ana", "beto")
    flooder = usual.connect_raw(usual.room(ana), ana)
    neighbour = usual.connect(usual.room(beto), beto)
    payloads = [struct.pack("!I", number) for number in range(30_000)]
    flood = b"".join(encode_frame(PING, payload) for payload in payloads)
    before = resident_bytes(usual)
    started = time.monotonic()
    answers: list[bytes] = []

    def answer() -> None:
        flooder.send_bytes(flood)
        answers.extend(read_pongs(flooder, len(payloads)))

    with in_background(answer) as thread:
        slowest = slowest_ping(neighbour, lambda: not thread.is_alive())
    assert time.monotonic() - started > 1.5
    assert answers == payloads
    assert slowest < PROMPT_SECONDS
    assert resident_bytes(usual) - before < 8 * MEBIBYTE
    flooder.close()


def test_a_flood_of_empty_fragments_is_slowed_down_and_becomes_one_message(usual: Chat) -> None:
    ana, beto = usual.users("ana", "beto")
    room = usual.room(ana)
    flooder = usual.connect_raw(room, ana)
    neighbour = usual.connect(usual.room(beto), beto)
    text = json.dumps({"content": "in pieces"}).encode()
    flood = encode_frame(TEXT, text[:5], final=False)
    flood += encode_frame(CONTINUATION, b"", final=False) * 30_000
    before = resident_bytes(usual)
    started = time.monotonic()
    with in_background(lambda: flooder.send_bytes(flood + encode_frame(CONTINUATION, text[5:]))):
        slowest = slowest_ping(neighbour, lambda: len(usual.history(room, ana)) == 1)
    assert time.monotonic() - started > 1.5
    assert slowest < PROMPT_SECONDS
    assert resident_bytes(usual) - before < 8 * MEBIBYTE
    flooder.close()


def test_a_flood_of_typing_costs_a_room_few_frames_and_ends_with_the_last(strict: Chat) -> None:
    ana, beto = strict.users("ana", "beto")
    room = strict.room(ana)
    flooder = strict.connect_raw(room, ana)
    reader = strict.connect(room, beto)
    started = time.monotonic()
    typing = encode_frame(TEXT, b'{"type":"typing","typing":true}') * 1500
    flooder.send_bytes(typing + encode_frame(TEXT, b'{"type":"typing","typing":false}'))
    count = 1
    while reader.expect("typing")["typing"]:
        count += 1
    # As many of one user at once as in a second, then four per second.
    assert count <= 6 + 4 * (time.monotonic() - started)
    reader.expect_quiet()
    flooder.close()


def test_pongs_that_nobody_reads_cost_one_outbox(usual: Chat) -> None:
    ana, beto = usual.users("ana", "beto")
    room = usual.room(ana)
    flooder = usual.connect_raw(room, ana, receive_buffer=4096)
    neighbour = usual.connect(usual.room(beto), beto)
    before = resident_bytes(usual)

    def send() -> None:
        # The server ends the connection in the middle.
        with suppress(OSError):
            flooder.send_bytes(encode_frame(PING, bytes(125)) * 400_000)

    with in_background(send):
        slowest = slowest_ping(neighbour, lambda: usual.online(room, beto) == [])
        flooder.reset()
    assert slowest < PROMPT_SECONDS
    assert resident_bytes(usual) - before < 8 * MEBIBYTE


def test_a_client_that_has_to_wait_is_not_taken_for_dead(servers: ServerPool) -> None:
    arguments = ("--ws-ping-interval", "0.3", "--ws-ping-timeout", "1.5")
    chat = servers.prepare("sqlite", *arguments, settings={"SOCKET_MAX_FRAMES_PER_SECOND": "200"})
    chat.server.start()
    ana = chat.user()
    flooder = chat.connect_raw(chat.room(ana), ana)
    # Its pongs would stand behind all of this.
    flooder.send_bytes(encode_frame(TEXT, b'{"type":"ping"}') * 1200)
    answered = 0
    while answered < 1200:
        frame = flooder.read_frame()
        assert frame.opcode != CLOSE, (frame.close_code, answered)
        answered += b'"pong"' in frame.payload
    flooder.close()
