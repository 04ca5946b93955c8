"""Permission is decided again when it changes: section 13, S16. Sockets that are already open learn of it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from harness.chat import Chat
from harness.waiting import wait_until
from websockets.exceptions import InvalidStatus

POLICY_VIOLATION = 1008
# How often the service looks for changes that went around it.
LOOKS_EVERY_SECONDS = 5


def test_leaving_a_private_room_closes_the_sockets_of_the_leaver(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana, private=True)
    chat.add_member(room, ana, beto)
    owner, first, second = chat.connect_all(room, ana, beto, beto)
    assert chat.post(f"/api/rooms/{room}/leave", beto).status_code == 200
    assert first.expect_closed()[0] == second.expect_closed()[0] == POLICY_VIOLATION
    assert owner.expect("user_left")["user_id"] == beto.id
    assert chat.online(room, ana) == [ana.id]
    chat.expect_nothing(room, ana, owner)
    assert chat.refused(room, beto.token) == (403, b"")


def test_leaving_a_public_room_keeps_the_socket(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    chat.join(room, beto)
    sockets = chat.connect_all(room, ana, beto)
    assert chat.post(f"/api/rooms/{room}/leave", beto).status_code == 200
    chat.expect_nothing(room, beto, *sockets)


def test_a_room_that_turns_private_closes_the_sockets_of_strangers(chat: Chat) -> None:
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana)
    chat.join(room, beto)
    owner, member, stranger = chat.connect_all(room, ana, beto, eva)
    assert chat.put(f"/api/rooms/{room}", ana, json={"is_private": True}).status_code == 200
    code, _, frames = stranger.expect_closed()
    assert (code, frames) == (POLICY_VIOLATION, [])
    for socket in (owner, member):
        assert socket.expect("user_left")["user_id"] == eva.id
    chat.expect_nothing(room, ana, owner, member)
    assert chat.online(room, ana) == [ana.id, beto.id]


def test_a_change_that_leaves_the_room_public_closes_nothing(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    room = chat.room(ana)
    sockets = chat.connect_all(room, ana, eva)
    body = {"name": "Nueva", "is_private": False}
    assert chat.put(f"/api/rooms/{room}", ana, json=body).status_code == 200
    chat.expect_nothing(room, eva, *sockets)


def test_deactivating_closes_every_socket_of_the_user(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    here, there = chat.room(ana), chat.room(ana)
    observer, first = chat.connect_all(here, ana, beto)
    second = chat.connect(there, beto)
    assert chat.put("/api/users/me", beto, json={"is_active": False}).status_code == 200
    assert first.expect_closed()[0] == second.expect_closed()[0] == POLICY_VIOLATION
    assert observer.expect("user_left")["user_id"] == beto.id
    assert chat.online(here, ana) == [ana.id]
    assert chat.online(there, ana) == []


def test_a_change_made_in_the_database_itself_closes_the_sockets_soon(chat: Chat) -> None:
    ana, beto, eva, leo = chat.users("ana", "beto", "eva", "leo")
    room = chat.room(ana, private=True)
    for user in (beto, eva, leo):
        chat.add_member(room, ana, user)
    owner, removed, inactive, member = chat.connect_all(room, ana, beto, eva, leo)
    chat.database.rows("delete from user_rooms where user_id = ? and room_id = ?", beto.id, room)
    chat.database.rows("update users set is_active = false where id = ?", eva.id)
    assert removed.expect_closed(LOOKS_EVERY_SECONDS * 3)[0] == POLICY_VIOLATION
    assert inactive.expect_closed(LOOKS_EVERY_SECONDS * 3)[0] == POLICY_VIOLATION
    for socket in (owner, member):
        assert {socket.expect("user_left")["user_id"] for _ in range(2)} == {beto.id, eva.id}
    chat.expect_nothing(room, ana, owner, member)


def test_an_expired_or_outdated_token_does_not_close_an_open_socket(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    assert chat.put("/api/users/me", ana, json={"username": ana.username + "_x"}).status_code == 200
    assert chat.refused(room, ana.token) == (403, b"")
    socket.say("still open")
    assert socket.expect("message")["sender"]["username"] == ana.username + "_x"


def test_a_socket_that_opens_while_the_room_turns_private_does_not_slip_in(chat: Chat) -> None:
    ana = chat.user()
    strangers = [chat.user(f"eva{number}") for number in range(6)]
    room = chat.room(ana)

    def try_to_enter(index: int) -> None:
        with suppress(InvalidStatus):
            chat.connect(room, strangers[index], welcomed=False)

    with ThreadPoolExecutor(4) as executor:
        entering = [executor.submit(try_to_enter, index) for index in range(len(strangers))]
        assert chat.put(f"/api/rooms/{room}", ana, json={"is_private": True}).status_code == 200
        for attempt in entering:
            attempt.result()
    wait_until(lambda: chat.online(room, ana) == [], "the strangers to be gone")
