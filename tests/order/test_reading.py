"""What users have read: markers that move forward only, and who is told."""

import time

import pytest
from harness.chat import Chat, User
from harness.pool import ServerPool
from harness.sockets import ChatSocket
from harness.waiting import wait_until

INVALID = "Formato de mensaje inválido"
BEYOND = "Lugar inexistente. Último de la sala: {}"
# The service gathers what sockets say for this long.
GAP_SECONDS = 0.25


def write(chat: Chat, room: int, user: User, messages: int) -> None:
    for number in range(messages):
        chat.say(room, user, str(number))


def reading(chat: Chat, room: int, user: User) -> tuple[int, int, int]:
    """Last place, last read place and unread messages of one of the user's rooms."""
    rooms = {item["id"]: item for item in chat.get("/api/users/me/rooms", user).json()}
    assert list(rooms[room])[-4:] == ["members", "last_seq", "last_read_seq", "unread_count"]
    return rooms[room]["last_seq"], rooms[room]["last_read_seq"], rooms[room]["unread_count"]


def read(socket: ChatSocket, seq: object) -> None:
    socket.send({"type": "read", "seq": seq})


def told(room: int, seq: int, unread: int) -> dict[str, object]:
    return {"type": "read", "room_id": room, "seq": seq, "unread_count": unread}


def put(chat: Chat, room: object, user: User | None, body: object) -> tuple[int, object]:
    answer = chat.put(f"/api/rooms/{room}/read", user, json=body)
    return answer.status_code, answer.json()


def test_a_marker_moves_forward_only(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room, empty = chat.room(ana), chat.room(ana)
    chat.join(room, beto)
    write(chat, room, beto, 5)
    assert reading(chat, room, ana) == (5, 0, 5)
    assert reading(chat, empty, ana) == (0, 0, 0)
    socket, other = chat.connect(room, ana), chat.connect(empty, ana, events="read")
    for seq, marker in ((2, 2), (1, 2), (2, 2), (0, 2), (4, 4)):
        read(socket, seq)
        if seq == marker:
            wait_until(lambda marker=marker: reading(chat, room, ana) == (5, marker, 5 - marker), "the marker to move")
    assert [other.receive() for _ in range(2)] == [told(room, 2, 3), told(room, 4, 1)]
    chat.say(room, beto, "nuevo")
    assert reading(chat, room, ana) == (6, 4, 2)
    assert reading(chat, room, beto) == (6, 0, 6)
    assert socket.expect("message")["seq"] == 6
    socket.expect_quiet()
    other.expect_quiet()


def test_a_place_that_the_room_does_not_have(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    write(chat, room, ana, 3)
    socket = chat.connect(room, ana)
    read(socket, 4)
    socket.expect_error(BEYOND.format(3))
    assert reading(chat, room, ana) == (3, 0, 3)
    assert put(chat, room, ana, {"seq": 2**63 - 1}) == (400, {"detail": BEYOND.format(3)})
    # One that it has is not hidden by them.
    for seq in (7, 2, 9):
        read(socket, seq)
    for _ in range(2):
        socket.expect_error(BEYOND.format(3))
    assert reading(chat, room, ana) == (3, 2, 1)
    for frame in ({}, {"seq": None}, {"seq": -1}, {"seq": 1.5}, {"seq": "x"}):
        socket.send({"type": "read", **frame})
        socket.expect_error(INVALID)


def test_who_is_told(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room, elsewhere = chat.room(ana), chat.room(beto)
    write(chat, room, ana, 2)
    origin = chat.connect(room, ana, events="read")
    beside, far = chat.connect(room, ana, events="read,typing"), chat.connect(elsewhere, ana, events="read")
    old, stranger = chat.connect(elsewhere, ana), chat.connect(room, beto, events="read")
    for socket in (origin, beside):
        assert socket.expect("user_joined")["user_id"] == beto.id
    read(origin, 1)
    for socket in (beside, far):
        assert socket.receive() == told(room, 1, 1)
    assert put(chat, room, ana, {"seq": 2})[0] == 200
    for socket in (origin, beside, far):
        assert socket.receive() == told(room, 2, 0)
    old.send({"type": "subscribe", "events": ["read"]})
    assert old.expect("subscribed")["events"] == ["read"]
    beside.close()
    chat.say(room, beto, "nuevo")
    read(far, 3)
    far.expect_error(BEYOND.format(0))
    assert put(chat, room, ana, {"seq": 3})[0] == 200
    assert origin.expect("message")["seq"] == 3
    for socket in (origin, far, old):
        assert socket.receive() == told(room, 3, 0)
    assert stranger.expect("message")["seq"] == 3
    stranger.expect_quiet()


def test_over_rest(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room, private = chat.room(ana), chat.room(ana, private=True)
    write(chat, room, ana, 3)
    state = {"room_id": room, "last_seq": 3, "last_read_seq": 2, "unread_count": 1}
    # No member, but the room is public.
    for seq in (2, 1, 0, "2", 2.0):
        assert put(chat, room, beto, {"seq": seq}) == (200, state)
    assert list(chat.put(f"/api/rooms/{room}/read", beto, json={"seq": 2}).json()) == list(state)
    chat.join(room, beto)
    assert reading(chat, room, beto) == (3, 2, 1)
    assert put(chat, private, beto, {"seq": 0}) == (403, {"detail": "Access denied to this room"})
    assert put(chat, 2**31 - 1, beto, {"seq": 0}) == (404, {"detail": "Sala no encontrada"})
    assert put(chat, room, None, {"seq": 0})[0] == 403
    for body in ({}, {"seq": -1}, {"seq": None}, {"seq": "x"}, {"seq": 2**63}):
        assert put(chat, room, beto, body)[0] == 422


def test_a_flood_costs_a_few_writes(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    write(chat, room, ana, 40)
    listener = chat.connect(room, ana, events="read")
    flooder = chat.connect(room, ana)
    started = time.monotonic()
    for _ in range(20):
        for seq in range(1, 41):
            read(flooder, seq)
    frames = [listener.receive()]
    while frames[-1]["seq"] < 40:
        frames.append(listener.receive())
    groups = (time.monotonic() - started) / GAP_SECONDS + 2
    places = [frame["seq"] for frame in frames]
    assert places == sorted(set(places))
    assert len(places) <= groups
    listener.expect_quiet()
    flooder.expect_quiet()


def test_what_a_socket_said_is_stored_though_it_ends(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    write(chat, room, ana, 3)
    for seq in (1, 2, 3):
        with chat.connect(room, ana) as socket:
            read(socket, seq)
    wait_until(lambda: reading(chat, room, ana) == (3, 3, 0), "the last marker to be stored")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_markers_outlive_the_service(servers: ServerPool, kind: str) -> None:
    chat = servers.prepare(kind)
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    write(chat, room, ana, 5)
    socket, listener = chat.connect(room, ana), chat.connect(room, ana, events="read")
    read(socket, 2)
    assert listener.receive() == told(room, 2, 3)
    # What was told is stored, whatever happens then.
    chat.server.kill()
    chat.server.start()
    assert reading(chat, room, ana) == (5, 2, 3)
    socket = chat.connect(room, ana)
    for seq in (3, 4):
        read(socket, seq)
    # The service has read both, and has not had the time to store the second one.
    socket.expect_quiet()
    chat.server.close_http()
    chat.server.stop()
    chat.server.start()
    assert reading(chat, room, ana) == (5, 4, 1)
    chat.close_sockets()
