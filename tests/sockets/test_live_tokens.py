"""A newer token on an open socket, and sockets that end with their token."""

import time
from dataclasses import replace

import pytest
from harness.chat import SECRET_KEY, Chat, User
from harness.pool import ServerPool
from harness.tokens import read_claims, sign
from harness.waiting import wait_until

EXPIRED = (4002, "token expired")
REFUSED = "Token inválido"


def token(user: User, seconds: float, **more: object) -> str:
    """A token of the user that is valid for so long from now."""
    return sign({"sub": user.username, "exp": time.time() + seconds, "uid": user.id, **more}, SECRET_KEY)


def test_a_newer_token_is_taken_up(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    newer = sign({"sub": ana.username, "exp": 1_800_000_000}, SECRET_KEY)
    socket.send({"type": "auth", "token": newer})
    answer = socket.receive()
    assert list(answer) == ["type", "expires_at", "timestamp"]
    assert answer["type"] == "authenticated"
    assert str(answer["expires_at"]).startswith("2027-01-15T08:00:00")
    chat.expect_nothing(room, ana, socket)


def test_what_does_not_allow_to_be_here_changes_nothing(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana, private=True)
    socket = chat.connect(room, ana)
    chat.add_member(room, ana, beto)
    for wrong in (
        "",
        "no token",
        token(ana, -2),
        token(beto, 60),
        token(ana, 60, uid=beto.id),
        token(ana, 60, realm="webrtc"),
        sign({"sub": ana.username, "exp": time.time() + 60}, "another key, as long as it has to be"),
    ):
        socket.send({"type": "auth", "token": wrong})
        socket.expect_error(REFUSED)
    for malformed in ({}, {"token": None}, {"token": 5}, {"token": ["x"]}):
        socket.send({"type": "auth", **malformed})
        socket.expect_error("Formato de mensaje inválido")
    chat.expect_nothing(room, ana, socket)


def test_names_change_with_the_token(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    socket, other = chat.connect_all(room, ana, beto)
    # As somebody does who goes around the service.
    chat.database.many("update users set full_name = ? where id = ?", [("Ana Nueva", ana.id)])
    socket.send({"type": "auth", "token": token(ana, 60)})
    assert socket.receive()["type"] == "authenticated"
    socket.say("hola")
    assert other.expect("message")["sender"]["full_name"] == "Ana Nueva"
    socket.expect("message")


def test_a_socket_outlives_its_token(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    short = replace(ana, token=token(ana, 2))
    socket = chat.connect(room, short)
    wait_until(lambda: chat.get("/api/users/me", short).status_code == 401, "the token to expire")
    chat.expect_nothing(room, ana, socket)


@pytest.mark.parametrize("age", [3600, 2])
def test_with_an_age_a_socket_ends_with_its_token(servers: ServerPool, transport: str, age: int) -> None:
    chat = servers.prepare("sqlite", transport=transport, settings={"SESSION_MAX_AGE": str(age)})
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    # The one is short of time, the other short of age.
    lifetime = 2 if age == 3600 else 3600
    observer = chat.connect(room, beto)
    socket = chat.connect(room, replace(ana, token=token(ana, lifetime)))
    observer.expect("user_joined")
    begin = time.monotonic()
    if age == 3600:
        observer.send({"type": "auth", "token": token(beto, 3600)})
        assert observer.receive()["type"] == "authenticated"
    code, reason, _ = socket.expect_closed()
    assert (code, reason) == EXPIRED
    assert time.monotonic() - begin > 0.9
    if age == 3600:
        assert observer.expect("user_left")["user_id"] == ana.id


def test_a_newer_token_in_time_keeps_a_socket_open(servers: ServerPool, transport: str) -> None:
    chat = servers.prepare("sqlite", transport=transport, settings={"SESSION_MAX_AGE": "3600"})
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    old, renewed = token(ana, 3), token(ana, 3600)
    assert read_claims(old) != read_claims(renewed)
    kept = chat.connect(room, replace(ana, token=old))
    lost = chat.connect(room, replace(ana, token=old))
    kept.send({"type": "auth", "token": renewed})
    assert kept.receive()["type"] == "authenticated"
    assert lost.expect_closed()[:2] == EXPIRED
    chat.expect_nothing(room, ana, kept)
