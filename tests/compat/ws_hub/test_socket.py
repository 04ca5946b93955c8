"""The socket of ws-hub: section 5 of its contract, in both dialects."""

import json
import re
import time
from typing import Any

import psycopg
import pytest
from harness.siblings import UNKNOWN_ID
from harness.sockets import refused_with

# The form of a name that the service makes; there need be no such image.
IMAGE = "0f8fad5b-d9cb-469f-a165-70867728950e.png"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PATHS = ["/compat/ws-hub", "/compat/ws-hub/", "/compat/ws-hub/ws", "/compat/ws-hub/ws/", "/", "/ws", "/ws/", "/?x=1"]


@pytest.mark.parametrize("path", PATHS)
def test_where_it_is_served(live: Any, path: str) -> None:
    ana = live.account()
    socket = live.open(path)
    assert socket.log_in(ana) == [ana.id]
    assert live.chat.get("/").json()["status"] == "running"


@pytest.mark.parametrize("path", ["/x", "/compat/ws-hub/x", "/compat/webrtc", "/compat/meetings", "/compat"])
def test_where_it_is_not(live: Any, path: str) -> None:
    base = "ws" + live.chat.server.base_url.removeprefix("http")
    assert refused_with(base + path, live.chat.context)[0] == 403


def test_coming_and_going(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    first = live.enter(ana)
    stranger = live.open()
    second = live.enter(beto, first)
    third = live.open()
    assert sorted(third.log_in(beto)) == sorted([ana.id, beto.id])
    for socket in (first, second, third):
        socket.expect_nothing()
    third.close()
    first.expect_nothing()
    second.abort()
    assert first.expect_frame("USER_OFFLINE") == {"userId": beto.id}
    stranger.say_frame("TYPING", roomId="x")
    stranger.expect_error("Not authenticated")


@pytest.mark.parametrize(("kind", "refusal"), [("AUTHENTICATE", "ERROR"), ("AUTH", "AUTH_ERROR")])
@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "Token is required"),
        ({"token": ""}, "Token is required"),
        ({"token": 5}, "Token is required"),
        ("x", "Token is required"),
        (None, "Token is required"),
        ({"token": "abc"}, "Authentication failed"),
    ],
)
def test_failed_authentication(live: Any, kind: str, refusal: str, payload: object, message: str) -> None:
    socket = live.open()
    socket.send({"type": kind, "payload": payload})
    socket.expect_error(message, refusal)
    code, _, frames = socket.expect_closed()
    assert (code, frames) == (1008, [])


def test_tokens_of_others(live: Any) -> None:
    for token in (
        live.chat.user().token,
        live.sign(UNKNOWN_ID, "x", realm="webrtc"),
        live.sign(UNKNOWN_ID, "x", exp=1),
    ):
        socket = live.open()
        socket.say_frame("AUTHENTICATE", token=token)
        socket.expect_error("Authentication failed")
        assert socket.expect_closed()[0] == 1008


def test_authenticating_again(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    socket = live.enter(ana)
    assert socket.log_in(ana) == [ana.id]
    socket.say_frame("AUTHENTICATE", token=beto.token)
    socket.expect_error("Authentication failed")
    assert socket.expect_closed()[0] == 1008


def test_the_token_at_the_top_level(live: Any) -> None:
    ana = live.account()
    socket = live.open()
    socket.send({"type": "AUTH", "token": ana.token})
    assert socket.expect_frame("AUTH_SUCCESS") == {"userId": ana.id, "username": ana.username}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ("nope", "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        ("5", "Missing event type"),
        ("[1]", "Missing event type"),
        ("null", "Missing event type"),
        ("{}", "Missing event type"),
        ('{"type":5}', "Missing event type"),
        ('{"type":"","payload":{}}', "Missing event type"),
        ('{"type":"X"}', "Unknown event type"),
        ('{"type":"join_room"}', "Unknown event type"),
        ('{"type":"ROOM_CREATED","payload":{"id":"x"}}', "Unknown event type"),
        ('{"type":"ROOM_UPDATED"}', "Unknown event type"),
        ('{"type":"ROOM_DELETED"}', "Unknown event type"),
        ('{"type":"JOIN_ROOM","payload":[]}', "roomId is required"),
        ('{"type":"JOIN_ROOM","payload":{"roomId":{"$ne":1}}}', "roomId is required"),
        ('{"type":"JOIN_ROOM","payload":{"roomId":"\\u0000"}}', "Room not found"),
        ('{"type":"JOIN_ROOM","payload":{"roomId":"x"}}', "Room not found"),
        ('{"type":"SEND_MESSAGE"}', "roomId and content or imageUrl are required"),
    ],
)
def test_frames_that_are_refused(live: Any, frame: str, message: str) -> None:
    socket = live.enter(live.account())
    for form in (frame, frame.encode()):
        socket.send_raw(form)
        socket.expect_error(message)
    socket.expect_nothing()


def test_binary_frames_say_the_same(live: Any) -> None:
    ana = live.account()
    socket = live.open()
    socket.send_raw(json.dumps({"type": "AUTHENTICATE", "payload": {"token": ana.token}}).encode())
    assert socket.expect_frame("AUTHENTICATED")["userId"] == ana.id
    socket.expect_frame("ONLINE_USERS")
    socket.send_raw(b'{"type":"\xff"}')
    socket.expect_error("Invalid JSON")


def test_a_frame_that_is_too_long(live: Any) -> None:
    socket = live.enter(live.account())
    if live.chat.context is None:
        socket.send_raw("x" * 300_000)
        assert socket.expect_closed()[0] == 1009
    assert live.get("/health").status_code == 200


def test_a_conversation(live: Any) -> None:
    ana, beto, carla = live.accounts("ana", "beto", "carla")
    room = live.room(ana, beto)
    hers = live.enter(ana)
    his = live.enter(beto, hers)
    other = live.enter(carla, hers, his)
    second = live.open()
    second.log_in(ana)
    for frame in ({"content": "hi"}, {"content": "hi", "tempId": "t"}):
        hers.say_frame("SEND_MESSAGE", roomId=room, **frame)
        hers.expect_error("Join the room first")
    hers.join(room)
    his.join(room)
    other.say_frame("JOIN_ROOM", roomId=room)
    other.expect_error("Access denied")
    hers.say_frame("SEND_MESSAGE", roomId=room, content="  hola ñ ", tempId="t-1")
    seen = [socket.expect_frame("MESSAGE") for socket in (hers, second, his)]
    assert seen[0] == seen[1] == seen[2]
    keys = ["id", "roomId", "senderId", "senderUsername", "content", "createdAt", "tempId"]
    assert list(seen[0]) == keys
    assert (seen[0]["roomId"], seen[0]["senderId"], seen[0]["senderUsername"]) == (room, ana.id, ana.username)
    assert (seen[0]["content"], seen[0]["tempId"]) == ("hola ñ", "t-1")
    assert TIME.fullmatch(seen[0]["createdAt"])
    second.say_frame("SEND_MESSAGE", roomId=room, imageUrl="https://x.io/a.png")
    image, *same = [socket.expect_frame("MESSAGE") for socket in (hers, second, his)]
    assert same == [image, image]
    assert list(image) == ["id", "roomId", "senderId", "senderUsername", "content", "imageUrl", "createdAt"]
    assert (image["content"], image["imageUrl"]) == ("", "https://x.io/a.png")
    history = live.get(f"/api/rooms/{room}/messages", beto.token).json()["messages"]
    stored = [
        {"imageUrl": None, **{key: value for key, value in m.items() if key != "tempId"}} for m in (seen[0], image)
    ]
    assert history == stored
    other.expect_nothing()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"content": "   "}, "roomId and content or imageUrl are required"),
        ({"content": 5}, "roomId and content or imageUrl are required"),
        ({"content": "", "imageUrl": ""}, "roomId and content or imageUrl are required"),
        ({"content": "x" * 5001}, "Message too long (max 5000)"),
        ({"content": "😀" * 2501}, "Message too long (max 5000)"),
        ({"content": " " * 4999 + "xx"}, "Message too long (max 5000)"),
        ({"imageUrl": "javascript:alert(1)"}, "Invalid imageUrl"),
        ({"imageUrl": "/uploads/../x"}, "Invalid imageUrl"),
        ({"imageUrl": "/uploads/a.png"}, "Invalid imageUrl"),
        ({"imageUrl": f"/uploads/{IMAGE}/x"}, "Invalid imageUrl"),
        ({"imageUrl": f"/compat/ws-hub/uploads/{IMAGE}"}, "Invalid imageUrl"),
        ({"imageUrl": f"uploads/{IMAGE}"}, "Invalid imageUrl"),
        ({"imageUrl": "/uploads/2026/11/21/0f8fad5b-d9cb-469f-a165-70867728950e.png"}, "Invalid imageUrl"),
        ({"imageUrl": "https://" + "x" * 2048}, "Invalid imageUrl"),
    ],
)
def test_messages_that_are_refused(live: Any, payload: dict[str, object], message: str) -> None:
    ana, beto = live.accounts("ana", "beto")
    room = live.room(ana, beto)
    socket = live.enter(ana)
    socket.join(room)
    socket.say_frame("SEND_MESSAGE", roomId=room, **payload)
    socket.expect_error(message)
    assert live.get(f"/api/rooms/{room}/messages", ana.token).json()["messages"] == []


def test_messages_at_the_limits(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    room = live.room(ana, beto)
    socket = live.enter(ana)
    socket.join(room)
    for payload in (
        {"content": "😀" * 2500},
        {"content": "x" * 5000},
        {"imageUrl": f"/uploads/{IMAGE}"},
        {"content": "\0"},
    ):
        socket.say_frame("SEND_MESSAGE", roomId=room, **payload)
        socket.expect_frame("MESSAGE")
    temp_id = {"any": ["thing", 1, None]}
    socket.say_frame("SEND_MESSAGE", roomId=room, content="x", tempId=temp_id)
    assert socket.expect_frame("MESSAGE")["tempId"] == temp_id


def test_all_readers_and_the_history_agree_on_the_order(live: Any) -> None:
    people = live.accounts("ana", "beto", "carla")
    room = live.room(*people)
    sockets: list[Any] = []
    for person in people:
        sockets.append(live.enter(person, *sockets))
    for socket in sockets:
        socket.join(room)
    for number in range(40):
        for index, socket in enumerate(sockets):
            socket.say_frame("SEND_MESSAGE", roomId=room, content=f"{index}-{number}")
    seen = [[socket.expect_frame("MESSAGE")["content"] for _ in range(120)] for socket in sockets]
    assert seen[0] == seen[1] == seen[2]
    for index in range(3):
        own = [content for content in seen[0] if content.startswith(f"{index}-")]
        assert own == [f"{index}-{number}" for number in range(40)]
    pages = [live.get(f"/api/rooms/{room}/messages?limit=100&page={page}", people[0].token).json() for page in (2, 1)]
    assert [message["content"] for page in pages for message in page["messages"]] == seen[0]


def test_membership_is_the_users(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    room = live.room(ana, beto)
    first = live.enter(ana)
    second = live.open()
    second.log_in(ana)
    first.join(room)
    second.say_frame("SEND_MESSAGE", roomId=room, content="both")
    for socket in (first, second):
        assert socket.expect_frame("MESSAGE")["content"] == "both"
    third = live.open()
    third.log_in(ana)
    third.say_frame("LEAVE_ROOM", roomId=room)
    assert third.expect_frame("ROOM_LEFT") == {"roomId": room}
    first.say_frame("SEND_MESSAGE", roomId=room, content="none")
    first.expect_error("Join the room first")
    third.say_frame("LEAVE_ROOM")
    third.expect_nothing()
    first.join(room)
    for socket in (first, second, third):
        socket.close()
    again = live.enter(ana)
    again.say_frame("SEND_MESSAGE", roomId=room, content="gone with the last socket")
    again.expect_error("Join the room first")


def test_typing(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    room = live.room(ana, beto)
    hers = live.enter(ana)
    his = live.enter(beto, hers)
    hers.say_frame("TYPING", roomId=room)
    his.join(room)
    hers.join(room)
    for kind in ("TYPING", "START_TYPING"):
        hers.say_frame(kind, roomId=room)
        typing = his.expect_frame("TYPING")
        assert typing == {"userId": ana.id, "username": ana.username, "roomId": room}
    hers.say_frame("STOP_TYPING", roomId=room)
    assert his.expect_frame("STOP_TYPING") == {"userId": ana.id, "roomId": room}
    hers.say_frame("LEAVE_ROOM", roomId=room)
    hers.expect_frame("ROOM_LEFT")
    hers.say_frame("STOP_TYPING", roomId=room)
    hers.expect_nothing()
    his.expect_nothing()


def test_the_seed_dialect_needs_no_joining(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    before = live.room(ana, beto)
    hers = live.enter_seed(ana)
    his = live.enter(beto, hers)
    his.join(before)
    his.say_frame("SEND_MESSAGE", roomId=before, content="one")
    assert hers.expect_frame("MESSAGE")["content"] == "one"
    his.expect_frame("MESSAGE")
    later = live.room(beto, ana)
    assert hers.expect_frame("ROOM_CREATED")["id"] == later
    his.join(later)
    his.say_frame("SEND_MESSAGE", roomId=later, content="two")
    assert hers.expect_frame("MESSAGE")["content"] == "two"
    his.expect_frame("MESSAGE")
    hers.say_frame("LEAVE_ROOM", roomId=later)
    hers.expect_frame("ROOM_LEFT")
    his.say_frame("SEND_MESSAGE", roomId=later, content="three")
    his.expect_frame("MESSAGE")
    hers.expect_nothing()
    hers.log_in(ana, "AUTH", "AUTH_SUCCESS")
    hers.say_frame("TYPING", roomId=later)
    assert his.expect_frame("TYPING")["userId"] == ana.id
    hers.join(later)
    other = live.open()
    other.log_in(ana)
    hers.close()
    other.say_frame("SEND_MESSAGE", roomId=later, content="joined, so it stays")
    other.expect_frame("MESSAGE")
    his.expect_frame("MESSAGE")


def test_a_client_of_the_seed_is_told_that_it_is_in_when_it_hears_its_rooms(live_on_postgres: Any) -> None:
    live = live_on_postgres
    ana, beto, carla = live.accounts("ana", "beto", "carla")
    room = live.room(ana, beto)
    hers = live.enter(ana)
    hers.join(room)
    his = live.open()
    with psycopg.connect(live.chat.database.url) as connection:
        # Its rooms cannot be listed as long as this is held.
        connection.execute("lock table compat_room_members in access exclusive mode")
        his.say_frame("AUTH", token=beto.token)
        assert hers.expect_frame("USER_ONLINE")["userId"] == beto.id
        third = live.enter(carla, hers)
        hers.say_frame("SEND_MESSAGE", roomId=room, content="before")
        assert hers.expect_frame("MESSAGE")["content"] == "before"
    his.expect_frame("AUTH_SUCCESS")
    assert set(his.expect_frame("ONLINE_USERS")["userIds"]) == {ana.id, beto.id, carla.id}
    hers.say_frame("SEND_MESSAGE", roomId=room, content="after")
    assert his.expect_frame("MESSAGE")["content"] == "after"
    third.expect_nothing()


def test_room_events(live: Any) -> None:
    ana, beto, carla = live.accounts("ana", "beto", "carla")
    hers = live.enter(ana)
    his = live.enter(beto, hers)
    third = live.enter(carla, hers, his)
    body = {"type": "group", "name": "Team", "participantIds": [beto.id, carla.id]}
    room = live.post("/api/rooms", ana.token, json=body).json()
    for socket in (his, third):
        assert socket.expect_frame("ROOM_CREATED") == room
    private = {"type": "private", "participantIds": [beto.id]}
    pair = live.post("/api/rooms", ana.token, json=private).json()
    assert his.expect_frame("ROOM_CREATED") == pair
    assert live.post("/api/rooms", ana.token, json=private).status_code == 200
    his.join(room["id"])
    hers.join(room["id"])
    live.post(f"/api/rooms/{room['id']}/leave", beto.token)
    for socket in (hers, third):
        assert socket.expect_frame("ROOM_UPDATED")["participants"] == [ana.person, carla.person]
    hers.say_frame("SEND_MESSAGE", roomId=room["id"], content="without him")
    hers.expect_frame("MESSAGE")
    his.say_frame("SEND_MESSAGE", roomId=room["id"], content="x")
    his.expect_error("Join the room first")
    live.post(f"/api/rooms/{room['id']}/leave", carla.token)
    assert hers.expect_frame("ROOM_DELETED") == {"roomId": room["id"]}
    hers.say_frame("SEND_MESSAGE", roomId=room["id"], content="x")
    hers.expect_error("Join the room first")
    for socket in (hers, his, third):
        socket.expect_nothing()


def test_public_rooms(live: Any) -> None:
    ana, beto, carla = live.accounts("ana", "beto", "carla")
    room = live.room(ana, kind="public")
    hers = live.enter(ana)
    his = live.enter(beto, hers)
    his.join(room)
    assert hers.expect_frame("ROOM_UPDATED")["participants"] == [ana.person, beto.person]
    his.join(room)
    live.post(f"/api/rooms/{room}/join", carla.token)
    for socket in (hers, his):
        assert len(socket.expect_frame("ROOM_UPDATED")["participants"]) == 3
    live.post(f"/api/rooms/{room}/join", carla.token)
    for socket in (hers, his):
        socket.expect_nothing()


def test_a_quick_reconnect(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    room = live.room(ana, beto)
    watcher = live.enter(beto)
    socket = live.enter(ana, watcher)
    for _ in range(5):
        socket.join(room)
        again = live.open()
        again.log_in(ana)
        socket.abort()
        again.join(room)
        socket = again
    socket.say_frame("SEND_MESSAGE", roomId=room, content="still here")
    assert socket.expect_frame("MESSAGE")["content"] == "still here"
    watcher.expect_nothing()


def test_messages_survive_a_restart(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    room = live.room(ana, beto)
    socket = live.enter(ana)
    socket.join(room)
    for number in range(50):
        socket.say_frame("SEND_MESSAGE", roomId=room, content=str(number))
    acknowledged = [socket.expect_frame("MESSAGE")["content"] for _ in range(50)]
    live.chat.server.kill()
    live.chat.server.start()
    history = live.get(f"/api/rooms/{room}/messages", ana.token).json()["messages"]
    assert [message["content"] for message in history] == acknowledged
    live.chat.sockets.clear()


def test_a_flood_harms_nobody(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    room = live.room(ana, beto)
    hers = live.enter(ana)
    his = live.enter(beto, hers)
    hers.join(room)
    his.join(room)
    started = time.monotonic()
    for number in range(500):
        hers.say_frame("SEND_MESSAGE", roomId=room, content=str(number))
        hers.say_frame("TYPING", roomId=room)
        hers.send_raw("{")
    messages, errors = 0, 0
    while messages < 500 or errors < 500:
        kind = json.loads(hers.receive_text())["type"]
        messages += kind == "MESSAGE"
        errors += kind == "ERROR"
    assert live.get("/health").status_code == 200
    assert time.monotonic() - started < 60
