"""Who gets a socket and who is refused: section 6.1 of the contract."""

import pytest
from harness import tokens
from harness.chat import SECRET_KEY, Chat, unique
from harness.raw import RawSocket
from harness.sockets import ChatSocket

REFUSED = (403, b"")


@pytest.mark.parametrize("prefix", ["/api/ws", "/ws"])
def test_the_first_two_frames(chat: Chat, prefix: str) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana, name="Café ñ")
    with (
        ChatSocket.open(chat.socket_url(room, ana.token, prefix), chat.context) as first,
        ChatSocket.open(chat.socket_url(room, beto.token, prefix), chat.context) as second,
    ):
        welcome, online = first.expect("welcome"), first.expect("users_online")
        assert list(welcome) == ["type", "message", "room_id", "user_id", "timestamp"]
        assert (welcome["message"], welcome["room_id"], welcome["user_id"]) == (
            "Conectado a la sala: Café ñ",
            room,
            ana.id,
        )
        assert list(online) == ["type", "users", "count", "timestamp"]
        assert (online["users"], online["count"]) == ([ana.id], 1)
        joined = first.expect("user_joined")
        assert list(joined) == ["type", "user_id", "timestamp"]
        assert joined["user_id"] == beto.id
        assert second.expect("welcome")["user_id"] == beto.id
        assert sorted(second.expect("users_online")["users"]) == sorted([ana.id, beto.id])
        chat.expect_nothing(room, ana, first, second)
        for frame in (welcome, online, joined):
            assert frame["timestamp"].endswith("+00:00"), frame


def test_refused_tokens(chat: Chat) -> None:
    ana, off = chat.user(), chat.user(active=False)
    room = chat.room(ana)
    refused = [
        None,
        "",
        "garbage",
        "a.b.c",
        "%00",
        "%ff",
        off.token,
        tokens.sign_for(ana.username, SECRET_KEY, -5),
        tokens.sign_for(ana.username, "another key"),
        tokens.sign_for(unique("nobody"), SECRET_KEY),
        tokens.sign({"sub": ana.username, "exp": 99_999_999_999}, SECRET_KEY, "HS384"),
        tokens.sign({"sub": ana.username, "exp": 99_999_999_999, "realm": "meetings"}, SECRET_KEY),
    ]
    assert [chat.refused(room, token) for token in refused] == [REFUSED] * len(refused)
    with pytest.raises(AssertionError, match="accepted"):
        chat.refused(room, ana.token)


def test_the_token_is_read_from_the_query_only(chat: Chat) -> None:
    ana = chat.user()
    raw = RawSocket(chat.socket_url(chat.room(ana), None), chat.context)
    raw.send_bytes(raw.request(f"Authorization: Bearer {ana.token}"))
    assert raw.read_response()[0] == 403
    raw.close()


def test_refused_rooms(chat: Chat) -> None:
    ana = chat.user()
    for room in ("abc", 0, -1, 2**31 - 1, 2**31, 2**63, 10**30, "1.5", "1e1", "NaN", "%20", "%00", "1%00"):
        assert chat.refused(room, ana.token) == REFUSED, room
    for path in ("/api/ws", "/nowhere", "/api/ws/1/2", "/api/rooms/1"):
        url = "ws" + chat.server.base_url.removeprefix("http") + path
        raw = RawSocket(f"{url}?token={ana.token}", chat.context)
        raw.send_bytes(raw.request())
        assert raw.read_response()[0] == 403, path
        raw.close()


def test_room_numbers_may_be_written_as_in_every_path(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    for form in (f"+{room}", f"{room}.0", f"%20{room}", f"{room}/"):
        with ChatSocket.open(chat.socket_url(form, ana.token), chat.context) as socket:
            assert socket.expect("welcome")["room_id"] == room


def test_a_stranger_in_a_private_room_is_refused_and_not_announced(chat: Chat) -> None:
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana, private=True)
    chat.add_member(room, ana, beto)
    owner = chat.connect(room, ana)
    assert [chat.refused(room, eva.token) for _ in range(3)] == [REFUSED] * 3
    chat.expect_nothing(room, ana, owner)
    member = chat.connect(room, beto)
    assert owner.expect("user_joined")["user_id"] == beto.id
    assert chat.online(room, ana) == [ana.id, beto.id]
    chat.expect_nothing(room, ana, owner, member)


def test_any_origin_and_further_parameters_are_fine(chat: Chat) -> None:
    ana = chat.user()
    url = chat.socket_url(chat.room(ana), ana.token)
    with ChatSocket.open(f"{url}&x=1", chat.context, origin="http://evil.example") as socket:
        assert socket.welcomed() == [ana.id]
        assert socket.response.headers.get("Sec-WebSocket-Protocol") is None
    with ChatSocket.open(url.replace("?token=", "?token=bad&token="), chat.context) as socket:
        assert socket.welcomed() == [ana.id], "the last of repeated parameters counts"


def test_a_client_without_compression_is_served(chat: Chat) -> None:
    ana = chat.user()
    with ChatSocket.open(chat.socket_url(chat.room(ana), ana.token), chat.context, compression=None) as socket:
        assert socket.welcomed() == [ana.id]
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


def test_a_head_in_pieces_after_a_request_on_the_same_connection(chat: Chat) -> None:
    ana = chat.user()
    raw = RawSocket(chat.socket_url(chat.room(ana), ana.token), chat.context)
    raw.send_bytes(f"GET /health HTTP/1.1\r\nHost: {raw.host}\r\n\r\n".encode())
    status, head = raw.read_response()
    assert status == 200
    length = int(next(line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-length")))
    raw.take(length)
    request = raw.request()
    for start in range(0, len(request), 40):
        raw.send_bytes(request[start : start + 40])
    assert raw.read_response()[0] == 101
    assert b'"welcome"' in raw.read_frame().payload
    raw.close()


@pytest.mark.parametrize(
    "lines",
    [
        ["Sec-WebSocket-Version: 12"],
        ["Sec-WebSocket-Key: "],
    ],
)
def test_handshakes_that_are_none_get_a_client_error(chat: Chat, lines: list[str]) -> None:
    ana = chat.user()
    raw = RawSocket(chat.socket_url(chat.room(ana), ana.token), chat.context)
    replaced = {line.split(":")[0] for line in lines}
    kept = [line for line in raw.request().decode().split("\r\n")[:-2] if line.split(":")[0] not in replaced]
    raw.send_bytes(("\r\n".join([*kept, *lines]) + "\r\n\r\n").encode())
    assert 400 <= raw.read_response()[0] < 500
    raw.close()


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["chat"], "chat"), (["v2.chat", "v1.chat"], "v2.chat"), (["bearer", "x"], "bearer")]
)
def test_one_of_the_offered_subprotocols_is_chosen(chat: Chat, offered: list[str], chosen: str) -> None:
    ana = chat.user()
    with ChatSocket.open(chat.socket_url(chat.room(ana), ana.token), chat.context, subprotocols=offered) as socket:
        assert socket.welcomed() == [ana.id]
        assert socket.response.headers.get_all("Sec-WebSocket-Protocol") == [chosen]


@pytest.mark.parametrize("query", ["", "?token="])
def test_a_token_among_the_subprotocols(chat: Chat, query: str) -> None:
    ana = chat.user()
    url = chat.socket_url(chat.room(ana), None) + query
    with ChatSocket.open(url, chat.context, subprotocols=["bearer", ana.token]) as socket:
        assert socket.welcomed() == [ana.id]
        assert socket.response.headers.get_all("Sec-WebSocket-Protocol") == ["bearer"]


@pytest.mark.parametrize("offered", [["bearer", "bad"], ["bearer"], ["chat", "TOKEN"], ["TOKEN", "bearer"]])
def test_subprotocols_without_a_good_token_are_refused(chat: Chat, offered: list[str]) -> None:
    ana = chat.user()
    offers = ", ".join(ana.token if offer == "TOKEN" else offer for offer in offered)
    raw = RawSocket(chat.socket_url(chat.room(ana), None), chat.context)
    raw.send_bytes(raw.request(f"Sec-WebSocket-Protocol: {offers}"))
    assert raw.read_response()[0] == 403
    raw.close()
