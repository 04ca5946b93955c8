"""Who is online, over several sockets of one user: section 6.5 of the contract."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.chat import Chat
from harness.pool import ServerPool
from harness.raw import CLOSE, PING
from harness.sockets import ChatSocket
from harness.waiting import wait_until


def test_several_sockets_of_one_user_are_one_presence(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer, first, second = chat.connect_all(room, ana, beto, beto)
    assert chat.online(room, ana) == [ana.id, beto.id]
    for speaker in (first, second):
        speaker.say("both may speak")
        for reader in (observer, first, second):
            assert reader.expect("message")["sender"]["id"] == beto.id
    first.close()
    chat.expect_nothing(room, ana, observer, second)
    assert chat.online(room, ana) == [ana.id, beto.id]
    second.close()
    left = observer.expect("user_left")
    assert (list(left), left["user_id"]) == (["type", "user_id", "timestamp"], beto.id)
    assert chat.online(room, ana) == [ana.id]
    back = chat.connect(room, beto)
    assert observer.expect("user_joined")["user_id"] == beto.id
    chat.expect_nothing(room, ana, observer, back)


def test_a_second_socket_of_the_only_user_sees_itself_once(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    first = chat.connect(room, ana)
    second = chat.connect(room, ana, welcomed=False)
    assert second.welcomed() == [ana.id]
    chat.expect_nothing(room, ana, first, second)


@pytest.mark.parametrize("ending", ["close", "code", "no_code", "abort", "half"])
def test_any_end_counts_as_leaving_at_once(chat: Chat, ending: str) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer = chat.connect(room, ana)
    leaver = chat.connect_raw(room, beto)
    observer.expect("user_joined")
    match ending:
        case "close":
            leaver.send(0x8, b"\x03\xe8")
        case "code":
            leaver.send(0x8, (4999).to_bytes(2) + b"because")
        case "no_code":
            leaver.send(0x8)
        case "abort":
            leaver.reset()
        case "half":
            leaver.close()
    assert observer.expect("user_left")["user_id"] == beto.id
    assert chat.online(room, ana) == [ana.id]
    leaver.close()


def test_presence_alternates_however_sockets_come_and_go(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer = chat.connect(room, ana)

    def come_and_go(_: int) -> None:
        with ChatSocket.open(chat.socket_url(room, beto.token), chat.context) as socket:
            assert beto.id in socket.welcomed()

    with ThreadPoolExecutor(6) as executor:
        list(executor.map(come_and_go, range(30)))
    wait_until(lambda: chat.online(room, ana) == [ana.id], "everybody to be gone")
    marker = chat.say(room, ana, "end")["id"]
    seen = []
    while (frame := observer.receive()).get("id") != marker:
        assert frame["user_id"] == beto.id
        seen.append(frame["type"])
    assert len(seen) >= 2
    assert seen == ["user_joined", "user_left"] * (len(seen) // 2)


def test_many_users_arrive_at_once(chat: Chat) -> None:
    users = [chat.user(f"u{number}") for number in range(12)]
    room = chat.room(users[0])
    with ThreadPoolExecutor(6) as executor:
        sockets = list(executor.map(lambda user: chat.connect(room, user, welcomed=False), users))
    for user, socket in zip(users, sockets, strict=True):
        # Whoever arrived before is in the list, whoever arrived after is announced: together everybody, once.
        present = socket.welcomed()
        assert user.id in present
        present += [socket.expect("user_joined")["user_id"] for _ in range(len(users) - len(present))]
        assert sorted(present) == sorted(user.id for user in users)
    assert sorted(chat.online(room, users[0])) == sorted(user.id for user in users)
    chat.expect_nothing(room, users[0], *sockets)


def test_one_user_in_two_rooms(chat: Chat) -> None:
    ana = chat.user()
    here, there = chat.room(ana), chat.room(ana)
    one, two = chat.connect(here, ana), chat.connect(there, ana)
    one.close()
    wait_until(lambda: chat.online(here, ana) == [], "the socket to be gone")
    assert chat.online(there, ana) == [ana.id]
    chat.expect_nothing(there, ana, two)


def test_a_dead_device_does_not_take_a_user_away_whose_other_one_lives(servers: ServerPool) -> None:
    # Not with TLS: there the event loop of Python waits half a minute for the goodbye of the peer.
    chat = servers.prepare("sqlite", "--ws-ping-interval", "0.4", "--ws-ping-timeout", "0.6")
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer, alive = chat.connect_all(room, ana, beto)
    dead = chat.connect_raw(room, beto)
    dead.read_until(PING)
    assert dead.read_until(CLOSE).close_reason == "keepalive ping timeout"
    dead.close()
    chat.expect_nothing(room, ana, observer, alive)
    assert chat.online(room, ana) == [ana.id, beto.id]


def test_a_user_whose_devices_are_all_dead_leaves_within_the_ping_time(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", "--ws-ping-interval", "0.5", "--ws-ping-timeout", "0.5")
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer = chat.connect(room, ana)
    silent = [chat.connect_raw(room, beto) for _ in range(2)]
    # From here on they answer nothing, and their connections stay open.
    started = time.monotonic()
    assert observer.expect("user_joined")["user_id"] == beto.id
    assert observer.expect("user_left")["user_id"] == beto.id
    # A ping after half a second, half a second for the pong, and a second for a machine that is busy.
    assert time.monotonic() - started < 2
    chat.expect_nothing(room, ana, observer)
    for one in silent:
        one.close()
