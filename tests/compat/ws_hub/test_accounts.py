"""Accounts of ws-hub: sections 2 and 3 of its contract."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import tokens
from harness.chat import PASSWORD, unique
from harness.siblings import UNKNOWN_ID, WEBRTC_SECRET, WEEK_SECONDS, WS_HUB_SECRET, Sibling, is_error

ALL_WRONG = (
    "username must be at least 3 characters, email must be a valid email, password must be at least 6 characters"
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_health(hub: Sibling) -> None:
    assert is_error(hub.get("/health"), 200, {"status": "Server running"})


def test_registration(hub: Sibling) -> None:
    name = unique("Ana")
    body = {"username": f"  {name} ", "email": f" {name}@X.io ", "password": PASSWORD}
    made = hub.post("/api/auth/register", json=body)
    assert made.status_code == 201
    user, token = made.json()["user"], made.json()["token"]
    assert list(made.json()) == ["user", "token"]
    assert list(user) == ["username", "email", "createdAt", "id"]
    assert (user["username"], user["email"]) == (name, f"{name}@x.io".lower())
    assert re.fullmatch(r"[0-9a-f]{24}", user["id"])
    assert TIME.fullmatch(user["createdAt"])
    claims = tokens.read_claims(token)
    now = time.time()
    assert claims.pop("iat") == pytest.approx(now, abs=5)
    assert claims.pop("exp") == pytest.approx(now + WEEK_SECONDS, abs=5)
    assert claims == {"userId": user["id"], "id": user["id"], "username": name, "realm": "ws-hub"}
    assert is_error(hub.get("/api/auth/me", token), 200, user)
    again = hub.post("/api/auth/register", json={**body, "username": unique("other")})
    assert is_error(again, 409, {"message": "Email already registered"})
    again = hub.post("/api/auth/register", json={**body, "email": "new@x.io"})
    assert is_error(again, 409, {"message": "Username already taken"})


def test_log_in(hub: Sibling) -> None:
    ana = hub.account()
    answer = hub.post("/api/auth/login/", json={"email": f" {ana.email.upper()}", "password": PASSWORD})
    assert (answer.status_code, list(answer.json())) == (200, ["user", "token"])
    assert is_error(hub.get("/api/auth/me/", answer.json()["token"]), 200, answer.json()["user"])
    for email in (ana.email, "nobody@x.io"):
        wrong = hub.post("/api/auth/login", json={"email": email, "password": "wrong-one"})
        assert is_error(wrong, 401, {"message": "Invalid credentials"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "username is required, email is required, password is required"),
        ([], "username is required, email is required, password is required"),
        (
            {"username": 5, "email": ["a@b.c"], "password": {}},
            "username is required, email is required, password is required",
        ),
        ({"username": "ab", "email": "a@b.c", "password": "secret"}, "username must be at least 3 characters"),
        ({"username": "  ab  ", "email": "a@b.c", "password": "secret"}, "username must be at least 3 characters"),
        ({"username": "a" * 31, "email": "a@b.c", "password": "secret"}, "username must be at most 30 characters"),
        ({"username": "ana", "email": "a@b", "password": "secret"}, "email must be a valid email"),
        ({"username": "ana", "email": "a b@c.d", "password": "secret"}, "email must be a valid email"),
        ({"username": "ana", "email": "a@b.c", "password": "12345"}, "password must be at least 6 characters"),
        (
            {"username": "x", "email": "x", "password": "x"},
            ALL_WRONG,
        ),
        ({"email": "x", "password": ""}, "username is required, email must be a valid email, password is required"),
    ],
)
def test_registrations_that_are_refused(hub: Sibling, body: object, message: str) -> None:
    assert is_error(hub.post("/api/auth/register", json=body), 400, {"message": message})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "email is required, password is required"),
        ({"email": "a@b.c"}, "password is required"),
        ({"password": "x", "email": None}, "email is required"),
        ({"password": 7, "email": ""}, "email is required, password is required"),
    ],
)
def test_log_ins_without_the_fields(hub: Sibling, body: object, message: str) -> None:
    assert is_error(hub.post("/api/auth/login", json=body), 400, {"message": message})


def test_of_two_racing_registrations_one_wins(hub: Sibling) -> None:
    body = {"username": unique("race"), "email": f"{unique('race')}@x.io", "password": PASSWORD}
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: hub.post("/api/auth/register", json=body), range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "No token provided"),
        ("", "No token provided"),
        ("Token abc", "Invalid token format"),
        ("bearer abc", "Invalid token format"),
        ("Bearer", "Invalid token format"),
        ("Bearer abc", "Invalid or expired token"),
        ("Bearer a.b.c d", "Invalid or expired token"),
    ],
)
@pytest.mark.parametrize("path", ["/api/auth/me", "/api/users/search?q=a", "/api/rooms", f"/api/rooms/{UNKNOWN_ID}"])
def test_requests_without_a_good_token(hub: Sibling, path: str, header: str | None, message: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = hub.get(path, headers=headers)
    assert is_error(answer, 401, {"message": message})


def test_tokens_that_prove_nothing_here(hub: Sibling) -> None:
    ana = hub.account()
    good = {"userId": ana.id, "username": ana.username, "realm": "ws-hub", "exp": int(time.time()) + 60}
    assert hub.get("/api/auth/me", tokens.sign(good, WS_HUB_SECRET)).status_code == 200
    bad = [
        tokens.sign(good, WEBRTC_SECRET),
        tokens.sign(good, WS_HUB_SECRET, "HS512"),
        tokens.sign(good, WS_HUB_SECRET, "none"),
        tokens.sign({**good, "realm": "webrtc"}, WS_HUB_SECRET),
        tokens.sign({**good, "exp": int(time.time()) - 5}, WS_HUB_SECRET),
        hub.sign(ana.id, ana.username, realm=None),
        hub.sign(ana.id, ana.username, exp=None),
        hub.sign(ana.id, ana.username, userId=None),
        hub.chat.user().token,
    ]
    for token in bad:
        assert is_error(hub.get("/api/auth/me", token), 401, {"message": "Invalid or expired token"})


def test_an_account_that_is_gone(hub: Sibling) -> None:
    token = hub.sign(UNKNOWN_ID, "nobody")
    assert is_error(hub.get("/api/auth/me", token), 404, {"message": "User not found"})
    assert is_error(hub.get("/api/rooms", token), 200, [])


def test_search(hub: Sibling) -> None:
    mark = unique("Ñu").replace("_", "x")
    names = [f"{mark}-Uno", f"{mark}_dos", f"z{mark.upper()}%3"]
    ana, beto, carla = hub.accounts(*names)
    token = ana.token

    def search(text: str) -> list[dict[str, str]]:
        answer = hub.get("/api/users/search", token, params={"q": text})
        assert answer.status_code == 200
        found = answer.json()
        assert isinstance(found, list)
        return found

    found = sorted(search(mark.lower()), key=lambda person: person["id"])
    assert found == sorted([beto.person, carla.person], key=lambda person: person["id"]), (
        "never the caller, whatever the case"
    )
    assert search(f" {mark}_D ") == [beto.person]
    assert search(f"{mark}%") == [carla.person], "no patterns"
    for nothing in ("", "   ", f"{mark}.dos", "\0", "\\"):
        assert search(nothing) == []
    assert is_error(hub.get("/api/users/search", token), 200, [])


def test_a_search_finds_twenty_at_most(hub: Sibling) -> None:
    mark = unique("many")
    token = hub.account().token
    hub.accounts(*[mark] * 21)
    assert len(hub.get("/api/users/search", token, params={"q": mark}).json()) == 20
