"""What a reader that does not keep up costs: itself at most, one outbox of memory, and nobody else anything."""

import itertools
import json
import threading

import psutil
import pytest
from harness.chat import Chat, User
from harness.pool import ServerPool
from harness.raw import CLOSE, TEXT, encode_frame
from harness.sockets import ChatSocket

OUTBOX = 256 * 1024
TEXT_BYTES = 8000
MEGABYTE = 1 << 20


@pytest.fixture(params=["handoff", "asgi"])
def chat(servers: ServerPool, request: pytest.FixtureRequest) -> Chat:
    chat = servers.prepare("sqlite", transport=request.param, settings={"WS_OUTBOX_MAX_BYTES": str(OUTBOX)})
    chat.server.start()
    return chat


def overtake(sender: ChatSocket, slow: User, *others: ChatSocket) -> int:
    """Speak until the slow reader is dropped; everybody else must get everything. Returns the number of messages."""
    for number in itertools.count():
        assert number < 5000, "the slow reader is never dropped"
        sender.say(f"{number} " + "x" * TEXT_BYTES)
        gone = False
        for one in (sender, *others):
            frame = one.receive()
            if frame["type"] == "user_left":
                assert frame["user_id"] == slow.id
                gone = True
                frame = one.receive()
            assert frame["content"].startswith(f"{number} ")
        if gone:
            return number
    raise AssertionError


def test_the_slow_reader_alone_is_dropped_and_learns_why(chat: Chat) -> None:
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana)
    sender, reader = chat.connect_all(room, ana, beto)
    slow = chat.connect_raw(room, eva, receive_buffer=4096)
    for one in (sender, reader):
        one.expect("user_joined")
    sent = overtake(sender, eva, reader)
    # Whole frames, then the reason: nothing is torn in the middle.
    closed = slow.read_until(CLOSE)
    assert (closed.close_code, closed.close_reason) == (4001, "slow consumer")
    slow.close()
    # It can come back, and finds everything in the history.
    again = chat.connect(room, eva)
    sender.expect("user_joined")
    sender.say("hola otra vez")
    assert again.expect("message")["content"] == "hola otra vez"
    texts = [message["content"] for message in chat.history(room, eva)]
    assert texts.count("hola otra vez") == 1
    numbers = {int(text.split()[0]) for text in texts if text != "hola otra vez"}
    assert numbers == set(range(sent + 1 - len(numbers), sent + 1))


def test_a_reader_at_a_few_bytes_costs_one_outbox(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"WS_OUTBOX_MAX_BYTES": str(4 * MEGABYTE)})
    chat.server.start()
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana)
    sender = chat.connect(room, ana)
    readers = [chat.connect(room, beto) for _ in range(100)]
    sender.expect("user_joined")
    for _ in range(300):
        sender.say("x" * TEXT_BYTES)
        for one in (sender, *readers):
            one.expect("message")
    process = psutil.Process(chat.server.process.pid)
    before = process.memory_info().rss
    slow = chat.connect_raw(room, eva, receive_buffer=4096)
    for one in (sender, *readers):
        one.expect("user_joined")
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.05):
            slow.take(1)

    trickling = threading.Thread(target=trickle)
    trickling.start()
    try:
        # About 2.4 MB behind: most of it in the outbox, none of it twice.
        for _ in range(300):
            sender.say("x" * TEXT_BYTES)
            for one in (sender, *readers):
                one.expect("message")
        growth = process.memory_info().rss - before
    finally:
        stop.set()
        trickling.join()
    assert chat.online(room, ana) == [ana.id, beto.id, eva.id]
    assert growth < 5 * MEGABYTE, f"{growth / MEGABYTE:.1f} MiB for one slow reader"
    slow.close()


def test_typing_never_costs_a_reader_its_connection(chat: Chat) -> None:
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana)
    sender = chat.connect(room, ana)
    typist = chat.connect_raw(room, beto)
    sender.expect("user_joined")
    slow = chat.connect_raw(room, eva, receive_buffer=4096)
    sender.expect("user_joined")
    for _ in range(20):
        sender.say("x" * TEXT_BYTES)
        sender.expect("message")
    # More than the outbox and all buffers of the kernel hold.
    typist.send_bytes(encode_frame(TEXT, b'{"type":"typing","typing":true}') * 60_000)
    typist.send(TEXT, b'{"content":"fin"}')
    while (frame := sender.receive())["type"] == "typing":
        assert frame["user_id"] == beto.id
    assert frame["content"] == "fin"
    assert chat.online(room, ana) == [ana.id, beto.id, eva.id]
    messages = 0
    while b'"fin"' not in (read := slow.read_until(TEXT)).payload:
        messages += b'"type":"message"' in read.payload
    assert messages == 20
    typist.close()
    slow.close()


def test_of_who_came_and_went_meanwhile_only_the_outcome_is_told(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"WS_OUTBOX_MAX_BYTES": str(16 * MEGABYTE)})
    chat.server.start()
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana)
    sender = chat.connect(room, ana)
    slow = chat.connect_raw(room, eva, receive_buffer=4096)
    sender.expect("user_joined")
    # 9.6 MB: above a quarter of the outbox, although the kernel's buffers take some megabytes, and below all of it.
    for _ in range(300):
        sender.say("😀" * TEXT_BYTES)
        sender.expect("message")
    for _ in range(50):
        chat.connect(room, beto).close()
        sender.expect("user_joined")
        sender.expect("user_left")
    chat.connect(room, beto)
    sender.expect("user_joined")
    messages = 0
    while b'"user_joined"' not in (frame := slow.read_until(TEXT)).payload:
        messages += b'"type":"message"' in frame.payload
        assert b'"user_left"' not in frame.payload
    # Of 101 announcements one: how it is now.
    assert json.loads(frame.payload)["user_id"] == beto.id
    assert messages == 300
    sender.say("fin")
    assert json.loads(slow.read_until(TEXT).payload)["content"] == "fin"
    slow.close()
