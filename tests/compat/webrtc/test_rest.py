"""REST of webrtc: section 1 of its contract."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import tokens
from harness.chat import PASSWORD, unique
from harness.siblings import UNKNOWN_ID, WEBRTC_SECRET, WEEK_SECONDS, WS_HUB_SECRET, Account, Sibling, is_error

OBJECT_ID = re.compile(r"[0-9a-f]{24}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def refusal(message: str) -> dict[str, str]:
    return {"message": message, "error": message}


def invalid(field: str, value: object, message: str) -> dict[str, object]:
    shown = {"type": "field", "value": value, "msg": message, "path": field, "param": field, "location": "body"}
    return {**refusal(message), "errors": [shown]}


def create(webrtc: Sibling, creator: Account, **body: object) -> dict[str, Any]:
    answer = webrtc.post("/api/rooms", creator.token, json={"name": unique("Room"), **body})
    assert answer.status_code == 201, answer.text
    room = answer.json()
    assert isinstance(room, dict)
    return room


def test_health(webrtc: Sibling) -> None:
    answer = webrtc.get("/health/")
    assert (answer.status_code, answer.json()["status"]) == (200, "OK")
    assert TIME.fullmatch(answer.json()["timestamp"])


def test_sign_up(webrtc: Sibling) -> None:
    name = unique("Ana")
    made = webrtc.post(
        "/api/auth/signup", json={"username": f" {name} ", "email": f"{name}@X.io", "password": PASSWORD}
    )
    assert made.status_code == 201
    assert list(made.json()) == ["message", "token", "user"]
    user = made.json()["user"]
    assert list(user) == ["_id", "id", "username", "email", "createdAt"]
    assert OBJECT_ID.fullmatch(user["id"])
    assert (user["_id"], user["username"], user["email"]) == (user["id"], name, f"{name}@x.io".lower())
    claims = tokens.read_claims(made.json()["token"])
    now = time.time()
    assert claims.pop("iat") == pytest.approx(now, abs=5)
    assert claims.pop("exp") == pytest.approx(now + WEEK_SECONDS, abs=5)
    assert claims == {"userId": user["id"], "id": user["id"], "username": name, "realm": "webrtc"}
    for username, email in ((unique("x"), user["email"].upper()), (name, f"{unique('x')}@x.io")):
        answer = webrtc.post("/api/auth/signup", json={"username": username, "email": email, "password": PASSWORD})
        assert is_error(answer, 400, refusal("User already exists"))


def test_log_in(webrtc: Sibling) -> None:
    ana = webrtc.account()
    for login in ({"email": ana.email.upper()}, {"username": ana.username}):
        answer = webrtc.post("/api/auth/login", json={**login, "password": PASSWORD})
        assert (answer.status_code, answer.json()["user"]["id"]) == (200, ana.id)
        assert webrtc.get("/api/rooms", answer.json()["token"]).status_code == 200
    for login in ({"email": ana.email}, {"username": "nobody"}):
        answer = webrtc.post("/api/auth/login", json={**login, "password": "wrong-one"})
        assert is_error(answer, 401, refusal("Invalid credentials"))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["username", "email", "password"]),
        ({"username": "ab", "email": "a@b.c", "password": "secret"}, ["username"]),
        ({"username": "  ab ", "email": "a@b.c", "password": "secret"}, ["username"]),
        ({"username": "a" * 31, "email": "a@b.c", "password": "secret"}, ["username"]),
        ({"username": ["ana"], "email": {"$gt": ""}, "password": 123456}, ["username", "email", "password"]),
        ({"username": "ana", "email": "a@b", "password": "12345"}, ["email", "password"]),
    ],
)
def test_sign_ups_that_are_refused(webrtc: Sibling, body: dict[str, object], fields: list[str]) -> None:
    answer = webrtc.post("/api/auth/signup", json=body)
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert [error["path"] for error in errors] == fields
    assert answer.json()["message"] == answer.json()["error"] == errors[0]["msg"]
    for error in errors:
        assert list(error) == ["type", "value", "msg", "path", "param", "location"]
        assert (error["type"], error["param"], error["location"]) == ("field", error["path"], "body")
        assert error["value"] == (None if error["path"] == "password" else body.get(error["path"]))


@pytest.mark.parametrize(
    ("body", "fields"),
    [({}, ["email", "password"]), ({"email": " ", "password": "x"}, ["email"]), ({"username": "a"}, ["password"])],
)
def test_log_ins_without_the_fields(webrtc: Sibling, body: object, fields: list[str]) -> None:
    answer = webrtc.post("/api/auth/login", json=body)
    assert (answer.status_code, [error["path"] for error in answer.json()["errors"]]) == (400, fields)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "No token provided"),
        ("Bearer", "No token provided"),
        ("Bearer abc", "Invalid or expired token"),
        ("Basic abc", "Invalid or expired token"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/rooms"), ("POST", "/api/rooms"), ("GET", f"/api/rooms/{UNKNOWN_ID}/messages")]
)
def test_requests_without_a_good_token(
    webrtc: Sibling, method: str, path: str, header: str | None, message: str
) -> None:
    headers = {} if header is None else {"Authorization": header}
    assert is_error(webrtc.call(method, path, headers=headers), 401, refusal(message))


def test_tokens(webrtc: Sibling) -> None:
    ana = webrtc.account()
    assert webrtc.get("/api/rooms", headers={"Authorization": f"bEaReR {ana.token}"}).status_code == 200
    claims = {"userId": ana.id, "id": ana.id, "username": ana.username, "exp": int(time.time()) + 60}
    for token in (
        tokens.sign({**claims, "realm": "webrtc"}, WS_HUB_SECRET),
        tokens.sign({**claims, "realm": "ws-hub"}, WEBRTC_SECRET),
        tokens.sign(claims, WEBRTC_SECRET),
        webrtc.sign(ana.id, ana.username, exp=int(time.time()) - 5),
        webrtc.chat.user().token,
    ):
        assert is_error(webrtc.get("/api/rooms", token), 401, refusal("Invalid or expired token"))


def test_rooms(webrtc: Sibling) -> None:
    ana, beto = webrtc.accounts("ana", "beto")
    name = unique("Sala")
    room = create(webrtc, ana, name=f"  {name} ", description=" x ")
    assert list(room) == ["_id", "id", "name", "description", "createdBy", "participants", "createdAt"]
    person = {"_id": ana.id, "id": ana.id, "username": ana.username}
    assert (room["name"], room["description"], room["createdBy"], room["participants"]) == (name, "x", person, [person])
    assert room["_id"] == room["id"]
    other = create(webrtc, beto)
    assert other["description"] == ""
    listed = [item for item in webrtc.get("/api/rooms", beto.token).json() if item["id"] in {room["id"], other["id"]}]
    assert listed == [other, room], "all rooms, newest first"
    again = webrtc.post("/api/rooms/", beto.token, json={"name": name})
    assert is_error(again, 400, refusal("Room name already exists"))


@pytest.mark.parametrize("name", [None, "", "   ", 5, ["x"]])
def test_rooms_without_a_name(webrtc: Sibling, name: object) -> None:
    answer = webrtc.post("/api/rooms", webrtc.account().token, json={"name": name})
    assert is_error(answer, 400, invalid("name", name, "Room name is required"))


def test_names_have_an_end(webrtc: Sibling) -> None:
    ana = webrtc.account()
    assert create(webrtc, ana, name=unique("n").ljust(100, "ñ"))["name"].endswith("ñ")
    answer = webrtc.post("/api/rooms", ana.token, json={"name": "n" * 101})
    assert is_error(answer, 400, invalid("name", "n" * 101, "Room name must be at most 100 characters"))
    answer = webrtc.post("/api/rooms", ana.token, json={"name": unique("n"), "description": "d" * 1001})
    assert answer.status_code == 400


def test_history(webrtc: Sibling) -> None:
    ana, beto = webrtc.accounts("ana", "beto")
    room = create(webrtc, ana)
    path = f"/api/rooms/{room['id']}/messages"
    assert is_error(webrtc.get(path, beto.token), 200, [])
    contents = [f"message {number}" for number in range(7)]
    ids = webrtc.store_messages(room["id"], ana, contents)
    messages = webrtc.get(path, beto.token).json()
    assert [message["content"] for message in messages] == contents
    message = messages[0]
    keys = "_id id room roomId sender senderId senderName content timestamp createdAt"
    assert list(message) == keys.split()
    assert (message["_id"], message["id"], message["room"], message["roomId"]) == (ids[0], ids[0], *[room["id"]] * 2)
    assert (message["sender"], message["senderId"], message["senderName"]) == (ana.id, ana.id, ana.username)
    assert message["timestamp"] == message["createdAt"]
    assert TIME.fullmatch(message["createdAt"])

    def read(query: str) -> list[str]:
        answer = webrtc.get(f"{path}?{query}", beto.token)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()]

    assert read("limit=3") == ids[4:]
    assert read(f"limit=3&before={ids[4]}") == ids[1:4]
    assert read(f"limit=3&before={ids[1]}") == ids[:1]
    assert read(f"before={ids[0]}") == []
    assert read(f"before={UNKNOWN_ID}") == []
    assert read("limit=0") == ids[6:]
    assert read("limit=-1&before=") == ids[6:]
    assert read("limit=abc") == ids
    assert read("limit=9999") == ids


def test_history_before_a_time(webrtc: Sibling) -> None:
    ana = webrtc.account()
    room = create(webrtc, ana)
    sqlite = webrtc.chat.database.is_sqlite
    start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    ids = []
    for seconds in range(3):
        moment = start + timedelta(seconds=seconds)
        at = moment.isoformat(" ", "microseconds") if sqlite else moment
        ids += webrtc.store_messages(room["id"], ana, ["x"], at)
    for before, expected in (
        ("2026-01-02T03:04:07.000Z", ids[:2]),
        ("2026-01-02T03:04:07.001Z", ids),
        ("2026-01-02T04:04:06+01:00", ids[:1]),
        ("2000-01-01T00:00:00Z", []),
    ):
        answer = webrtc.get(f"/api/rooms/{room['id']}/messages", ana.token, params={"before": before})
        assert [message["id"] for message in answer.json()] == expected


@pytest.mark.parametrize("room", [UNKNOWN_ID, "x", "1", "%00", "a" * 3000])
def test_rooms_nobody_knows(webrtc: Sibling, room: str) -> None:
    answer = webrtc.get(f"/api/rooms/{room}/messages", webrtc.account().token)
    assert is_error(answer, 404, refusal("Room not found"))


def test_an_account_that_is_gone(webrtc: Sibling) -> None:
    answer = webrtc.post("/api/rooms", webrtc.sign(UNKNOWN_ID, "nobody"), json={"name": unique("r")})
    assert is_error(answer, 401, refusal("Invalid or expired token"))
