"""Tokens for the media server: section 4 of the contract, verified by LiveKit's own library."""

import time
from typing import Any

import jwt
import pytest
from harness import tokens
from harness.siblings import LIVEKIT_KEY, LIVEKIT_SECRET, LIVEKIT_URL, is_error
from livekit.api import TokenVerifier


def fetch(caller: Any, room: str, identity: str, name: str = "Ana") -> Any:
    return caller.post("/livekit/token", roomName=room, identity=identity, name=name)


def check(token: str, room: str, identity: str, name: str) -> None:
    claims = TokenVerifier(LIVEKIT_KEY, LIVEKIT_SECRET).verify(token)
    assert (claims.identity, claims.name) == (identity, name)
    assert claims.video is not None
    assert (claims.video.room, claims.video.room_join) == (room, True)
    assert (claims.video.can_publish, claims.video.can_subscribe) == (True, True)
    raw = tokens.read_claims(token)
    assert tokens.read_header(token) == {"typ": "JWT", "alg": "HS256"}
    assert raw.pop("nbf") == pytest.approx(time.time(), abs=5)
    assert raw.pop("exp") == pytest.approx(time.time() + 21_600, abs=5)
    grant = {"room": room, "roomJoin": True, "canPublish": True, "canSubscribe": True}
    assert raw == {"iss": LIVEKIT_KEY, "sub": identity, "name": name, "video": grant}


def test_every_route_makes_tokens_the_media_server_takes(ana: Any, beto: Any) -> None:
    hers, his = ana.user("Ana"), beto.user("Beto")
    call = ana.made("/calls", fromUserId=hers["id"], toUserId=his["id"])
    check(call["token"], call["roomName"], hers["id"], "Ana")
    for name in (call["roomName"], call["id"]):
        answer = fetch(beto, name, his["id"], "Beto B.")
        assert (answer.status_code, list(answer.json()), answer.json()["url"]) == (200, ["token", "url"], LIVEKIT_URL)
        check(answer.json()["token"], call["roomName"], his["id"], "Beto B.")
    room = ana.made("/rooms", name="Sala")
    joined = ana.post(f"/rooms/{room['id']}/join", userId=hers["id"]).json()
    check(joined["token"], room["roomName"], hers["id"], "Ana")
    for name in (room["roomName"], room["id"]):
        check(fetch(ana, name, hers["id"]).json()["token"], room["roomName"], hers["id"], "Ana")


def test_the_media_server_takes_no_other_token(ana: Any) -> None:
    user, room = ana.user(), ana.made("/rooms", name="Sala")
    token = ana.post(f"/rooms/{room['id']}/join", userId=user["id"]).json()["token"]
    for key, secret in (("another", LIVEKIT_SECRET), (LIVEKIT_KEY, LIVEKIT_SECRET + "x")):
        with pytest.raises(jwt.PyJWTError):
            TokenVerifier(key, secret).verify(token)
    assert ana.calls.get("/users", token).status_code == 401, "and nothing of ours takes this one"


def test_the_call_becomes_active_when_the_callee_answers(ana: Any, beto: Any) -> None:
    hers, his = ana.user("Ana"), beto.user("Beto")
    call = ana.made("/calls", fromUserId=hers["id"], toUserId=his["id"])

    def status() -> str:
        found = ana.calls.chat.database.value("select status from compat_calls where public_id = ?", call["id"])
        assert isinstance(found, str)
        return found

    assert fetch(ana, call["id"], hers["id"]).status_code == 200
    assert status() == "initiated"
    assert fetch(beto, call["id"], his["id"]).status_code == 200
    assert status() == "active"
    assert ana.post(f"/calls/{call['id']}/end").status_code == 200
    ended = {"statusCode": 409, "message": "Call has ended", "error": "Conflict"}
    assert is_error(fetch(beto, call["roomName"], his["id"]), 409, ended)
    assert status() == "ended"


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ({}, ["roomName must be a string", "identity must be a string", "name must be a string"]),
        ({"roomName": " ", "identity": 5, "name": "A"}, ["roomName should not be empty", "identity must be a string"]),
    ],
)
def test_requests_that_are_refused(anybody: Any, body: dict[str, object], messages: list[str]) -> None:
    answer = anybody.calls.post("/livekit/token", json=body)
    assert is_error(answer, 400, {"statusCode": 400, "message": messages, "error": "Bad Request"})


@pytest.mark.parametrize("room", ["x", "3f0c1c1e-0000-4000-8000-000000000000", "a\0b", "x" * 250])
def test_rooms_nobody_knows(anybody: Any, room: str) -> None:
    answer = fetch(anybody, room, "x")
    assert is_error(answer, 404, {"statusCode": 404, "message": "Room not found", "error": "Not Found"})


def test_open_mode_asks_nobody_who_he_is(anybody: Any) -> None:
    room = anybody.made("/rooms", name="Sala")
    check(fetch(anybody, room["id"], "guest-1", "Guest").json()["token"], room["roomName"], "guest-1", "Guest")
