"""``typing:true`` ends by itself for those who ask for ``typing`` events, and for nobody else."""

import time

import pytest
from harness.chat import Chat, User
from harness.sockets import ChatSocket

# How long somebody is believed to type.
LIFETIME_SECONDS = 6.0


def expect_typing(socket: ChatSocket, user: User, *, typing: bool) -> None:
    frame = socket.expect("typing")
    assert list(frame) == ["type", "user_id", "username", "typing", "timestamp"]
    assert (frame["user_id"], frame["username"], frame["typing"]) == (user.id, user.username, typing)


def type_on(socket: ChatSocket, *, typing: bool = True) -> None:
    socket.send({"type": "typing", "typing": typing})


def asking(chat: Chat, room: int, user: User) -> ChatSocket:
    return chat.connect(room, user, events="typing")


def test_typing_that_is_not_renewed_ends(chat: Chat) -> None:
    ana, beto, carla = chat.users("ana", "beto", "carla")
    room = chat.room(ana)
    asks = asking(chat, room, ana)
    old, typist, other = chat.connect_all(room, beto, carla, carla)
    for name in (beto, carla):
        assert asks.expect("user_joined")["user_id"] == name.id
    type_on(typist)
    expect_typing(asks, carla, typing=True)
    expect_typing(old, carla, typing=True)
    started = time.monotonic()
    # Renewed once: it ends six seconds after that.
    time.sleep(1)
    type_on(typist)
    expect_typing(asks, carla, typing=True)
    expect_typing(old, carla, typing=True)
    expect_typing(asks, carla, typing=False)
    assert LIFETIME_SECONDS + 0.9 < time.monotonic() - started < LIFETIME_SECONDS + 4
    chat.expect_nothing(room, ana, asks, old, typist, other)


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_typing_ends_with_the_last_socket_of_the_typist(chat: Chat, ending: str) -> None:
    ana, beto, carla = chat.users("ana", "beto", "carla")
    room = chat.room(ana)
    asks = asking(chat, room, ana)
    old, first, second = chat.connect_all(room, beto, carla, carla)
    for name in (beto, carla):
        assert asks.expect("user_joined")["user_id"] == name.id
    type_on(first)
    expect_typing(asks, carla, typing=True)
    expect_typing(old, carla, typing=True)
    first.close()
    # Another device lives.
    chat.expect_nothing(room, ana, asks, old, second)
    if ending == "close":
        second.close()
    else:
        second.abort()
    expect_typing(asks, carla, typing=False)
    for socket in (asks, old):
        assert socket.expect("user_left")["user_id"] == carla.id
    chat.expect_nothing(room, ana, asks, old)


def test_who_says_it_has_stopped_is_not_stopped_twice(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    asks = asking(chat, room, ana)
    typist = chat.connect(room, beto)
    asks.expect("user_joined")
    type_on(typist)
    expect_typing(asks, beto, typing=True)
    type_on(typist, typing=False)
    expect_typing(asks, beto, typing=False)
    typist.close()
    assert asks.expect("user_left")["user_id"] == beto.id
    chat.expect_nothing(room, ana, asks)


def test_the_typist_hears_nothing_of_itself(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    first, second = asking(chat, room, ana), asking(chat, room, ana)
    type_on(first)
    first.expect_quiet()
    first.close()
    second.expect_quiet()


def test_a_socket_that_asks_later_hears_of_the_end(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    socket, typist = chat.connect_all(room, ana, beto)
    type_on(typist)
    expect_typing(socket, beto, typing=True)
    socket.send({"type": "subscribe", "events": ["typing"]})
    assert socket.expect("subscribed")["events"] == ["typing"]
    typist.close()
    expect_typing(socket, beto, typing=False)
    assert socket.expect("user_left")["user_id"] == beto.id
