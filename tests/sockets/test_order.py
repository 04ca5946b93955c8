"""One order for everybody: what readers see is what is stored, from whichever side messages come."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from harness.chat import Chat
from harness.sockets import ChatSocket

MESSAGES_PER_SENDER = 20


def read_messages(socket: ChatSocket, count: int) -> list[tuple[int, str, str]]:
    """Id, text and time of the next messages."""
    frames = [socket.expect("message") for _ in range(count)]
    return [(frame["id"], frame["content"], frame["timestamp"].removesuffix("+00:00")) for frame in frames]


def test_all_readers_see_the_stored_order(chat: Chat) -> None:
    users = [chat.user(f"u{number}") for number in range(5)]
    room = chat.room(users[0])
    sockets = chat.connect_all(room, *users)

    def by_socket(index: int) -> None:
        for number in range(MESSAGES_PER_SENDER):
            sockets[index].say(f"{index}:{number}")

    def by_rest(index: int) -> None:
        for number in range(MESSAGES_PER_SENDER):
            chat.say(room, users[index], f"{index}:{number}")

    jobs: list[tuple[Callable[[int], None], int]] = [(by_socket, 0), (by_socket, 1), (by_rest, 2), (by_rest, 3)]
    total = len(jobs) * MESSAGES_PER_SENDER
    with ThreadPoolExecutor(len(jobs) + len(sockets)) as executor:
        reading = [executor.submit(read_messages, socket, total) for socket in sockets]
        sending = [executor.submit(job, index) for job, index in jobs]
        for job in sending:
            job.result()
        seen = [reader.result() for reader in reading]
    stored = [
        (item["id"], item["content"], item["created_at"].removesuffix("Z")) for item in chat.history(room, users[0])
    ]
    assert len(stored) == total
    for reader in seen:
        assert reader == stored
    ids = [number for number, _, _ in stored]
    assert ids == sorted(ids)
    for index in range(len(jobs)):
        own = [text for _, text, _ in stored if text.startswith(f"{index}:")]
        assert own == [f"{index}:{number}" for number in range(MESSAGES_PER_SENDER)], "a sender's order was not kept"


def test_a_message_is_stored_before_anybody_sees_it(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    sender, reader = chat.connect_all(room, ana, beto)
    for number in range(10):
        sender.say(str(number))
        frame = reader.expect("message")
        found = chat.database.rows("select content from messages where id = ?", frame["id"])
        assert found == [(str(number),)]


def test_the_time_of_a_message_is_the_time_of_sending(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    times = []
    for _ in range(2):
        before = datetime.now(UTC)
        socket.say("x")
        sent = datetime.fromisoformat(socket.expect("message")["timestamp"])
        assert before - timedelta(seconds=0.1) <= sent <= datetime.now(UTC) + timedelta(seconds=0.1)
        times.append(sent)
    assert times[0] < times[1]


def test_errors_and_answers_keep_their_place(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    socket.say("one")
    socket.send({"type": "ping"})
    socket.say("")
    socket.say("two")
    kinds = [socket.receive() for _ in range(4)]
    assert sorted(frame["type"] for frame in kinds) == ["error", "message", "message", "pong"]
    assert [frame["content"] for frame in kinds if frame["type"] == "message"] == ["one", "two"]
