"""A client that comes back says what it has seen, and gets what it missed before anything new."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.chat import Chat, User
from harness.pool import ServerPool
from harness.sockets import ChatSocket


def resumed(socket: ChatSocket, since: int, to: int) -> list[str]:
    """Read ``resumed`` and what was missed; gives the texts."""
    assert socket.expect("resumed") == {"type": "resumed", "from": since, "to": to, "complete": True}
    frames = [socket.expect("message") for _ in range(to - since)]
    assert [frame["seq"] for frame in frames] == list(range(since + 1, to + 1))
    return [frame["content"] for frame in frames]


def test_what_was_missed_comes_first_and_as_it_was(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    witness = chat.connect(room, beto)
    file_id = chat.store_file(ana)
    for number in range(1, 6):
        chat.say(room, ana, str(number), file_id=file_id if number == 4 else None)
    live = [witness.expect("message") for _ in range(5)]
    back = chat.connect(room, ana, since=2)
    assert back.expect("resumed") == {"type": "resumed", "from": 2, "to": 5, "complete": True}
    assert [back.expect("message") for _ in range(3)] == live[2:]
    witness.expect("user_joined")
    witness.say("nuevo")
    assert back.expect("message")["seq"] == 6


def test_nothing_missed(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    assert resumed(chat.connect(room, ana, since=0), 0, 0) == []
    chat.say(room, ana, "uno")
    assert resumed(chat.connect(room, ana, since=1), 1, 1) == []
    assert resumed(chat.connect(room, ana, since=0), 0, 1) == ["uno"]


def test_a_client_that_does_not_ask_sees_nothing_of_it(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    chat.say(room, ana, "uno")
    chat.connect(room, ana).expect_quiet()


def test_an_open_socket_can_ask(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    for number in range(1, 4):
        chat.say(room, ana, str(number))
    socket, other = chat.connect_all(room, ana, beto)
    socket.send({"type": "resume", "since_seq": 1})
    assert resumed(socket, 1, 3) == ["2", "3"]
    chat.expect_nothing(room, ana, other)


@pytest.mark.parametrize("frame", [{}, {"since_seq": None}, {"since_seq": -1}, {"since_seq": "x"}, {"since_seq": 1.5}])
def test_what_is_no_place_is_refused(chat: Chat, frame: dict[str, object]) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    socket.send({"type": "resume", **frame})
    socket.expect_error("Formato de mensaje inválido")


@pytest.mark.parametrize("since", ["x", "-1", "", "1.5"])
def test_a_handshake_with_what_is_no_place_is_refused(chat: Chat, since: str) -> None:
    ana = chat.user()
    room = chat.room(ana)
    assert chat.refused(room, f"{ana.token}&since_seq={since}") == (403, b"")


def test_a_place_that_the_room_never_had(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    chat.say(room, ana, "uno")
    frame = chat.connect(room, ana, since=77).expect("resumed")
    assert (frame["from"], frame["to"], frame["complete"]) == (77, 1, False)


def test_strangers_get_nothing(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana, private=True)
    chat.say(room, ana, "secreto")
    assert chat.refused(room, f"{beto.token}&since_seq=0") == (403, b"")


def test_too_much_is_read_from_the_history(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"RESUME_MAX_MESSAGES": "3"})
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    for number in range(1, 7):
        chat.say(room, ana, str(number))
    assert resumed(chat.connect(room, ana, since=3), 3, 6) == ["4", "5", "6"]
    socket = chat.connect(room, ana, since=2)
    frame = socket.expect("resumed")
    where = f"/api/rooms/{room}/messages?after_seq=2"
    assert frame == {"type": "resumed", "from": 2, "to": 6, "complete": False, "history": where}
    chat.say(room, ana, "nuevo")
    assert socket.expect("message")["seq"] == 7
    rest = chat.get(f"{where}&before_seq=7", ana).json()
    assert [item["seq"] for item in rest] == [3, 4, 5, 6]
    chat.close_sockets()


def test_after_a_restart(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite")
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    chat.say(room, ana, "antes")
    chat.server.kill()
    chat.server.start()
    chat.say(room, ana, "entretanto")
    sockets = [chat.connect(room, user, since=0) for user in (ana, beto)]
    assert resumed(sockets[0], 0, 2) == ["antes", "entretanto"]
    assert resumed(sockets[1], 0, 2) == ["antes", "entretanto"]
    chat.close_sockets()


def test_nothing_is_missed_or_doubled_while_others_write(chat: Chat) -> None:
    ana, beto, carla = chat.users("ana", "beto", "carla")
    room = chat.room(ana)
    is_over = threading.Event()

    def write(user: User) -> None:
        while not is_over.is_set():
            chat.say(room, user, "x")

    def come_and_go() -> None:
        seen = 0
        for _ in range(15):
            socket = chat.connect(room, carla, since=seen)
            frame = socket.receive()
            while frame["type"] != "resumed":
                frame = socket.receive()
            assert (frame["from"], frame["complete"]) == (seen, True)
            target = frame["to"] + 5
            while seen < target:
                frame = socket.receive()
                if frame["type"] == "message":
                    assert frame["seq"] == seen + 1
                    seen += 1
            socket.close()

    with ThreadPoolExecutor(3) as executor:
        writing = [executor.submit(write, user) for user in (ana, beto)]
        try:
            executor.submit(come_and_go).result()
        finally:
            is_over.set()
        for job in writing:
            job.result()
