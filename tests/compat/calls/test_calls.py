"""Users, calls and rooms: sections 1 and 2 of the contract, in both modes."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness.pool import ServerPool
from harness.siblings import LIVEKIT_URL, SETTINGS, Sibling, external_token, is_error

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UNKNOWN = "3f0c1c1e-0000-4000-8000-000000000000"
FORBIDDEN = {"statusCode": 403, "message": "Forbidden resource", "error": "Forbidden"}
UNAUTHORIZED = {"statusCode": 401, "message": "Unauthorized"}
ROUTES = [
    ("POST", "/users"),
    ("GET", "/users"),
    ("POST", "/calls"),
    ("POST", f"/calls/{UNKNOWN}/end"),
    ("POST", "/livekit/token"),
    ("POST", "/rooms"),
    ("GET", "/rooms"),
    ("GET", f"/rooms/{UNKNOWN}/users"),
    ("POST", f"/rooms/{UNKNOWN}/join"),
    ("GET", "/devices"),
    ("POST", f"/users/{UNKNOWN}/attach-device"),
]


def refusal(status: int, message: object, error: str) -> dict[str, object]:
    return {"statusCode": status, "message": message, "error": error}


def bad(*messages: str) -> dict[str, object]:
    return refusal(400, list(messages), "Bad Request")


def not_found(what: str) -> dict[str, object]:
    return refusal(404, f"{what} not found", "Not Found")


def test_users(caller: Any) -> None:
    made = caller.post("/users", name="  Ana ", sipPeer="ignored")
    user = made.json()
    assert (made.status_code, list(user)) == (201, ["id", "name", "sipPeer"])
    assert UUID.fullmatch(user["id"])
    assert (user["name"], user["sipPeer"]) == ("Ana", None)
    again = caller.user("Ana")
    assert again["id"] != user["id"], "logging in creates a user"
    listed = caller.get("/users")
    assert listed.status_code == 200
    assert [item for item in listed.json() if item["id"] in {user["id"], again["id"]}] == [user, again]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "name must be a string"),
        ({"name": None}, "name must be a string"),
        ({"name": 5}, "name must be a string"),
        ({"name": ["Ana"]}, "name must be a string"),
        ({"name": "   "}, "name should not be empty"),
        ({"name": "a" * 101}, "name must be shorter than or equal to 100 characters"),
    ],
)
@pytest.mark.parametrize("path", ["/users", "/rooms"])
def test_names_that_are_refused(ana: Any, path: str, body: dict[str, object], message: str) -> None:
    assert is_error(ana.calls.post(path, ana.token, json=body), 400, bad(message))


def test_a_call_from_beginning_to_end(caller: Any) -> None:
    ana, beto = caller.user("Ana"), caller.user("Beto")
    started = caller.post("/calls", fromUserId=ana["id"], toUserId=beto["id"])
    call = started.json()
    keys = "id callId fromUserId toUserId status roomName startTime token url"
    assert (started.status_code, list(call)) == (201, keys.split())
    assert UUID.fullmatch(call["id"])
    assert call["id"] == call["callId"] != call["roomName"]
    assert UUID.fullmatch(call["roomName"])
    assert (call["fromUserId"], call["toUserId"], call["status"]) == (ana["id"], beto["id"], "initiated")
    assert TIME.fullmatch(call["startTime"])
    assert call["url"] == LIVEKIT_URL
    ends = [caller.post(f"/calls/{call['id']}/end") for _ in range(2)]
    for end in ends:
        assert end.status_code == 200
        assert list(end.json()) == ["success", "callId", "status", "endTime"]
        assert end.json() == {**ends[0].json(), "success": True, "callId": call["id"], "status": "ended"}
    assert TIME.fullmatch(ends[0].json()["endTime"])


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ({}, ["fromUserId must be a string", "toUserId must be a string"]),
        ({"fromUserId": "", "toUserId": 5}, ["fromUserId should not be empty", "toUserId must be a string"]),
        ({"fromUserId": "x", "toUserId": "x"}, ["toUserId must be different from fromUserId"]),
    ],
)
def test_calls_that_are_refused(ana: Any, body: dict[str, object], messages: list[str]) -> None:
    assert is_error(ana.calls.post("/calls", ana.token, json=body), 400, bad(*messages))


@pytest.mark.parametrize("unknown", [UNKNOWN, "x", "a\0b", "' or 1=1 --"])
def test_calls_with_nobody(caller: Any, unknown: str) -> None:
    user = caller.user()
    for body in ({"fromUserId": user["id"], "toUserId": unknown}, {"fromUserId": unknown, "toUserId": user["id"]}):
        assert is_error(caller.post("/calls", **body), 404, not_found("User"))


@pytest.mark.parametrize("unknown", [UNKNOWN, "x", "%00", "a" * 3000])
def test_ids_nobody_knows(caller: Any, unknown: str) -> None:
    user = caller.user()
    assert is_error(caller.post(f"/calls/{unknown}/end"), 404, not_found("Call"))
    assert is_error(caller.get(f"/rooms/{unknown}/users"), 404, not_found("Room"))
    assert is_error(caller.post(f"/rooms/{unknown}/join", userId=user["id"]), 404, not_found("Room"))
    assert is_error(caller.post(f"/users/{unknown}/attach-device", sipPeer="1"), 404, not_found("User"))
    room = caller.made("/rooms", name="Sala")
    answer = caller.post(f"/rooms/{room['id']}/join", userId="x")
    assert is_error(answer, 404, not_found("User"))


def test_rooms(caller: Any) -> None:
    ana, beto = caller.user("Ana"), caller.user("Beto")
    made = caller.post("/rooms", name=" Sala 1 ")
    room = made.json()
    assert (made.status_code, list(room)) == (201, ["id", "name", "roomName", "participants"])
    assert (room["name"], room["participants"]) == ("Sala 1", [])
    assert UUID.fullmatch(room["id"])
    assert UUID.fullmatch(room["roomName"])
    assert room["id"] != room["roomName"]
    for user in (beto, ana, beto):
        joined = caller.post(f"/rooms/{room['id']}/join", userId=user["id"])
        assert joined.status_code == 200
        body = joined.json()
        assert list(body) == ["success", "roomId", "roomName", "token", "url"]
        assert (body["success"], body["roomId"], body["roomName"]) == (True, room["id"], room["roomName"])
        assert body["url"] == LIVEKIT_URL
    assert caller.get(f"/rooms/{room['id']}/users").json() == [beto, ana]
    listed = [item for item in caller.get("/rooms").json() if item["id"] == room["id"]]
    assert listed == [{**room, "participants": [beto["id"], ana["id"]]}]


def test_joining_at_once_doubles_nobody(ana: Any) -> None:
    user, room = ana.user(), ana.made("/rooms", name="Sala")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: ana.post(f"/rooms/{room['id']}/join", userId=user["id"]), range(8)))
    assert ana.get(f"/rooms/{room['id']}/users").json() == [user]


def test_devices(caller: Any) -> None:
    user = caller.user()
    answer = caller.post(f"/users/{user['id']}/attach-device", sipPeer="1001")
    assert is_error(answer, 200, {**user, "sipPeer": "1001"})
    devices = [device for device in caller.get("/devices").json() if device["userId"] == user["id"]]
    assert [list(device) for device in devices] == [["peer", "status", "address", "userId", "lastUpdated"]]
    assert (devices[0]["peer"], devices[0]["status"], devices[0]["address"]) == ("1001", "OFFLINE", None)
    assert TIME.fullmatch(devices[0]["lastUpdated"])


def test_routes_without_a_body(ana: Any) -> None:
    answer = ana.calls.post(f"/calls/{UNKNOWN}/end", ana.token, content=b"{broken")
    assert answer.status_code == 404
    answer = ana.calls.post("/users", ana.token, content=b"{broken")
    assert is_error(answer, 400, refusal(400, "Invalid JSON", "Bad Request"))


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_secure_mode_demands_an_izpochat_token(calls: Sibling, method: str, path: str) -> None:
    expired = calls.chat.user(active=False).token
    for token in (None, "abc", expired, external_token(userId="u1"), Sibling(calls.chat, "webrtc").account().token):
        assert is_error(calls.call(method, path, token), 401, UNAUTHORIZED)
    answer = calls.call(method, path, headers={"Authorization": "Basic abc"})
    assert is_error(answer, 401, UNAUTHORIZED)


def test_nobody_acts_as_another(ana: Any, beto: Any) -> None:
    hers, his, third = ana.user("Ana"), beto.user("Beto"), beto.user("Carla")
    assert is_error(ana.post("/calls", fromUserId=his["id"], toUserId=hers["id"]), 403, FORBIDDEN)
    call = beto.made("/calls", fromUserId=his["id"], toUserId=third["id"])
    assert is_error(ana.post(f"/calls/{call['id']}/end"), 403, FORBIDDEN)
    for identity in (hers["id"], his["id"], "x"):
        answer = ana.post("/livekit/token", roomName=call["roomName"], identity=identity, name="A")
        assert is_error(answer, 403, FORBIDDEN)
    room = ana.made("/rooms", name="Sala")
    assert is_error(ana.post(f"/rooms/{room['id']}/join", userId=his["id"]), 403, FORBIDDEN)
    answer = ana.post("/livekit/token", roomName=room["roomName"], identity=hers["id"], name="A")
    assert is_error(answer, 403, FORBIDDEN)
    assert beto.post(f"/rooms/{room['id']}/join", userId=his["id"]).status_code == 200
    answer = ana.post("/livekit/token", roomName=room["roomName"], identity=his["id"], name="A")
    assert is_error(answer, 403, FORBIDDEN)
    assert is_error(ana.post(f"/users/{his['id']}/attach-device", sipPeer="1"), 403, FORBIDDEN)


def test_either_party_may_end(ana: Any, beto: Any) -> None:
    hers, his = ana.user("Ana"), beto.user("Beto")
    for ends in (ana, beto):
        call = ana.made("/calls", fromUserId=hers["id"], toUserId=his["id"])
        assert ends.post(f"/calls/{call['id']}/end").status_code == 200


def test_the_origin_serves_them_too(ana: Any) -> None:
    http, headers = ana.calls.chat.http, {"Authorization": f"Bearer {ana.token}"}
    user = http.post("/users/", headers=headers, json={"name": "Ana"}).json()
    assert user in http.get("/users", headers=headers).json()
    for path in ("/rooms", "/devices"):
        assert http.get(path, headers=headers).status_code == 200
    assert is_error(http.get("/users"), 401, UNAUTHORIZED)
    assert is_error(http.get("/calls", headers=headers), 405, refusal(405, *["Method Not Allowed"] * 2))
    assert is_error(http.get("/rooms/x/y/z"), 404, refusal(404, "Not Found", "Not Found"))


@pytest.mark.parametrize("missing", ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])
def test_without_a_media_server_nothing_happens(servers: ServerPool, missing: str) -> None:
    settings = {**SETTINGS, missing: "", "COMPAT_CALLS_OPEN": "true"}
    chat = servers.prepare("sqlite", settings=settings)
    chat.server.start()
    calls = Sibling(chat, "calls")
    users = [calls.post("/users", json={"name": "Ana"}).json()["id"] for _ in range(2)]
    room = calls.post("/rooms", json={"name": "Sala"}).json()
    unavailable = refusal(503, "LiveKit is not configured", "Service Unavailable")
    for path, body in (
        ("/calls", {"fromUserId": users[0], "toUserId": users[1]}),
        ("/livekit/token", {"roomName": room["id"], "identity": users[0], "name": "A"}),
        (f"/rooms/{room['id']}/join", {"userId": users[0]}),
    ):
        assert is_error(calls.post(path, json=body), 503, unavailable)
    assert calls.get(f"/rooms/{room['id']}/users").json() == []
    assert chat.database.value("select count(*) from compat_calls") == 0
    assert "only in part set" in chat.server.log
    assert chat.server.log.count("COMPAT_CALLS_OPEN") == 1
    assert SETTINGS["LIVEKIT_API_SECRET"] not in chat.server.log
