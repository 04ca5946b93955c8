"""How sockets end from the server's side: dead peers, limits, shutdown, slow readers (section 6.5, S14)."""

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import pytest
from harness.chat import Chat
from harness.pool import ServerPool
from harness.raw import CLOSE, PING, PONG, TEXT, encode_frame
from harness.sockets import ChatSocket, Frame
from harness.waiting import wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus

KEEPALIVE = (1011, "keepalive ping timeout")
TOO_BIG, RESTART = 1009, 1012


def test_dead_peers_are_dropped_and_live_ones_are_not(servers: ServerPool, transport: str) -> None:
    arguments = ("--ws-ping-interval", "0.4", "--ws-ping-timeout", "0.6")
    chat = servers.prepare("sqlite", *arguments, transport=transport)
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    live, dead = chat.connect_raw(room, ana), chat.connect_raw(room, beto)
    answered = 0
    while answered < 6:
        frame = live.read_frame()
        if frame.opcode == PING:
            live.send(PONG, frame.payload)
            answered += 1
    dead.read_until(PING)
    end = dead.read_until(CLOSE)
    assert (end.close_code, end.close_reason) == KEEPALIVE
    dead.close()
    wait_until(lambda: chat.online(room, ana) == [ana.id], "the dead peer to be gone")
    live.send(TEXT, b'{"type":"ping"}')
    assert b"pong" in live.read_until(TEXT).payload or b"pong" in live.read_until(TEXT).payload
    live.close()


def test_a_peer_that_vanished_without_a_word_is_announced_as_gone(servers: ServerPool) -> None:
    # Not with TLS: there the event loop of Python waits half a minute for the goodbye of the peer.
    chat = servers.prepare("sqlite", "--ws-ping-interval", "0.4", "--ws-ping-timeout", "0.4")
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer = chat.connect(room, ana)
    silent = chat.connect_raw(room, beto)
    observer.expect("user_joined")
    assert observer.expect("user_left")["user_id"] == beto.id
    silent.close()


def test_frames_over_the_limit_close_with_1009(servers: ServerPool, transport: str) -> None:
    chat = servers.prepare("sqlite", "--ws-max-size", "200000", transport=transport)
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer = chat.connect(room, ana)
    allowed = chat.connect(room, ana)
    allowed.say("x" * 100_000)
    assert allowed.expect("message")
    observer.expect("message")
    one, many = chat.connect_raw(room, beto), chat.connect_raw(room, beto)
    one.send_bytes(encode_frame(TEXT, b"x" * 200_001)[:60_000])
    assert one.read_until(CLOSE).close_code == TOO_BIG
    many.send(TEXT, b"x" * 150_000, final=False)
    many.send_bytes(encode_frame(0, b"x" * 100_000))
    assert many.read_until(CLOSE).close_code == TOO_BIG
    one.close()
    many.close()
    assert observer.expect("user_joined")["user_id"] == beto.id
    assert observer.expect("user_left")["user_id"] == beto.id


def test_the_default_limit_is_16_mib(chat: Chat) -> None:
    ana = chat.user()
    raw = chat.connect_raw(chat.room(ana), ana)
    raw.send_bytes(encode_frame(TEXT, b"x" * ((1 << 24) + 1))[:200])
    assert raw.read_until(CLOSE).close_code == TOO_BIG
    raw.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_shutdown_closes_every_socket_with_1012(servers: ServerPool, transport: str, number: int) -> None:
    chat = servers.prepare("sqlite", transport=transport)
    chat.server.start()
    users = [chat.user(f"u{index}") for index in range(8)]
    rooms = [chat.room(users[0]) for _ in range(2)]
    sockets = [chat.connect(rooms[index % 2], user) for index, user in enumerate(users)]
    sockets[0].say("stored before the end")
    deaf = chat.connect_raw(rooms[0], users[0])
    chat.server.close_http()
    started = time.monotonic()
    chat.server.signal(number)
    with ThreadPoolExecutor(len(sockets)) as executor:
        ends = list(executor.map(lambda one: one.expect_closed(), sockets))
    assert [code for code, _, _ in ends] == [RESTART] * len(sockets)
    assert all(frame["type"] != "user_left" for _, _, frames in ends for frame in frames), (
        "nobody leaves a room that ends"
    )
    deaf.close()
    chat.server.wait_end(10)
    assert time.monotonic() - started < 8
    stored = chat.database.value("select count(*) from messages where content = ?", "stored before the end")
    shown = any(frame["type"] == "message" for _, _, frames in ends for frame in frames)
    assert stored or not shown, "a message was seen that is not stored"


def test_a_shutdown_can_be_spread(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"SHUTDOWN_SPREAD_SECONDS": "3"})
    chat.server.start()
    users = [chat.user(f"u{index}") for index in range(12)]
    room = chat.room(users[0])
    sockets = [chat.connect(room, user) for user in users]
    chat.server.close_http()
    started = time.monotonic()
    chat.server.signal(signal.SIGTERM)

    def until_closed(one: ChatSocket) -> tuple[int | None, float, list[Frame]]:
        code, _, frames = one.expect_closed()
        return code, time.monotonic() - started, frames

    with ThreadPoolExecutor(len(sockets)) as executor:
        running = [executor.submit(until_closed, one) for one in sockets]
        # Whoever has not been told to go goes on.
        said = 0
        while wait(running, timeout=0.05).not_done:
            for socket in sockets:
                with suppress(ConnectionClosed):
                    socket.say(f"dicho {said}")
                    said += 1
        ends = [one.result() for one in running]
    assert [code for code, _, _ in ends] == [RESTART] * len(sockets)
    times = sorted(seconds for _, seconds, _ in ends)
    assert times[-1] - times[0] > 1
    frames = [frame for _, _, frames in ends for frame in frames]
    assert all(frame["type"] != "user_left" for frame in frames)
    shown = {frame["content"] for frame in frames if frame["type"] == "message"}
    assert shown
    chat.server.wait_end(10)
    stored = {row[0] for row in chat.database.rows("select content from messages")}
    assert shown <= stored


def test_a_peer_that_does_not_answer_cannot_delay_the_shutdown(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite")
    chat.server.start()
    ana = chat.user()
    stuck = chat.connect_raw(chat.room(ana), ana, receive_buffer=4096)
    assert chat.server.stop() < 8
    stuck.close()


def test_a_slow_reader_does_not_stall_the_room(chat: Chat) -> None:
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana)
    sender, reader = chat.connect_all(room, ana, beto)
    slow = chat.connect_raw(room, eva, receive_buffer=4096)
    for one in (sender, reader):
        one.expect("user_joined")
    # More than the outbox and the buffers of the kernel hold.
    text = "x" * 100_000
    slowest = 0.0
    gone = False
    for _ in range(150):
        started = time.monotonic()
        sender.say(text)
        for one in (sender, reader):
            frame = one.receive()
            if frame["type"] == "user_left":
                assert frame["user_id"] == eva.id
                gone = True
                frame = one.receive()
            assert frame["type"] == "message"
        slowest = max(slowest, time.monotonic() - started)
        if gone:
            break
    assert slowest < 2, "the room waited for the slow reader"
    wait_until(lambda: chat.online(room, ana) == [ana.id, beto.id], "the slow reader to be dropped")
    slow.read_end()
    slow.close()


def test_a_reader_that_is_only_late_gets_everything(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    sender = chat.connect(room, ana)
    late = chat.connect_raw(room, beto, receive_buffer=4096)
    sender.expect("user_joined")
    texts = [f"{number} " + "x" * 5000 for number in range(40)]
    for text in texts:
        sender.say(text)
        sender.expect("message")
    received: list[bytes] = []
    while len(received) < len(texts):
        payload = late.read_until(TEXT).payload
        if b'"message"' in payload and b"xxx" in payload:
            received.append(payload)
    assert all(text.encode() in payload for text, payload in zip(texts, received, strict=True))
    late.close()


def test_a_flood_of_frames_is_answered_without_growth(chat: Chat) -> None:
    ana = chat.user()
    raw = chat.connect_raw(chat.room(ana), ana)
    raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.send_bytes(encode_frame(TEXT, b'{"type":"ping"}') * 2000)
    pongs = 0
    while pongs < 2000:
        pongs += b'"pong"' in raw.read_until(TEXT).payload
    raw.close()


def test_the_concurrency_limit_counts_sockets(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", "--limit-concurrency", "6")
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)

    def opened_before_refusal() -> int:
        for opened in range(20):
            try:
                chat.connect(room, ana)
            except InvalidStatus as refusal:
                statuses.append(refusal.response.status_code)
                return opened
        return 20

    statuses: list[int] = []
    assert 3 <= opened_before_refusal() <= 6
    assert statuses == [503]
    chat.close_sockets()

    def accepted() -> bool:
        try:
            chat.connect(room, ana).close()
        except InvalidStatus:
            return False
        return True

    wait_until(accepted, "room for a new socket")
