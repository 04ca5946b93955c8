"""Tokens and the Authorization header: sections 3.4 and 3.5 of the contract, and the id claim of S6."""

import time

import pytest
from harness import tokens
from harness.chat import SECRET_KEY, Chat, User, unique
from harness.pool import ServerPool

BAD_TOKEN = (401, {"detail": "Could not validate credentials"})


def status_of(chat: Chat, token: str) -> int:
    """What a token gets."""
    answer = chat.get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert answer.json() == BAD_TOKEN[1]
        assert answer.headers["www-authenticate"] == "Bearer"
    return answer.status_code


def claims_of(user: User, **more: object) -> dict[str, object]:
    """Valid claims plus ``more``."""
    return {"sub": user.username, "exp": int(time.time()) + 600, **more}


def test_issued_tokens_have_the_original_form(chat: Chat) -> None:
    ana = chat.user()
    before = int(time.time())
    token = chat.log_in(ana.username).json()["access_token"]
    claims = tokens.read_claims(token)
    assert tokens.read_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert claims["sub"] == ana.username
    assert isinstance(claims["exp"], int)
    assert before + 1800 <= claims["exp"] <= time.time() + 1801
    assert "realm" not in claims


def test_existing_tokens_stay_valid(chat: Chat) -> None:
    ana = chat.user()
    accepted = [
        tokens.sign(claims_of(ana), SECRET_KEY),
        tokens.sign(claims_of(ana), SECRET_KEY, header={"alg": "HS256"}),
        tokens.sign(claims_of(ana, iat=int(time.time()) + 900), SECRET_KEY),
        tokens.sign(claims_of(ana, role="admin", jti="1", iss="x"), SECRET_KEY),
    ]
    assert [status_of(chat, token) for token in accepted] == [200] * len(accepted)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": -1},
        {"sub": None},
        {"sub": 7},
        {"sub": ["ana"]},
        {"sub": "nobody-of-that-name"},
        {"sub": ""},
        {"nbf": 99_999_999_999},
        {"aud": "chat"},
        {"aud": ["chat"]},
        {"realm": "meetings"},
    ],
    ids=str,
)
def test_refused_claims(chat: Chat, claims: dict[str, object]) -> None:
    ana = chat.user()
    assert status_of(chat, tokens.sign({**claims_of(ana), **claims}, SECRET_KEY)) == 401


@pytest.mark.parametrize("missing", ["sub", "exp"])
def test_missing_claims(chat: Chat, missing: str) -> None:
    claims = claims_of(chat.user())
    del claims[missing]
    assert status_of(chat, tokens.sign(claims, SECRET_KEY)) == 401


def test_refused_signatures(chat: Chat) -> None:
    claims = claims_of(chat.user())
    good = tokens.sign(claims, SECRET_KEY)
    head, body, signature = good.split(".")
    refused = [
        tokens.sign(claims, "another key"),
        tokens.sign(claims, SECRET_KEY, "HS384"),
        tokens.sign(claims, SECRET_KEY, "HS512"),
        tokens.sign(claims, SECRET_KEY, "none"),
        tokens.sign(claims, "", "HS256"),
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature[:-2]}",
        f"{head}.{body}.{signature}.x",
        "a.b.c",
        "x" * 5000,
    ]
    assert [status_of(chat, token) for token in refused] == [401] * len(refused)
    assert status_of(chat, good) == 200


def test_an_expired_token_has_no_leeway(chat: Chat) -> None:
    ana = chat.user()
    assert status_of(chat, tokens.sign_for(ana.username, SECRET_KEY, -2)) == 401


@pytest.mark.parametrize(
    ("header", "status", "detail"),
    [
        (None, 403, "Not authenticated"),
        ("", 403, "Not authenticated"),
        ("Bearer", 403, "Not authenticated"),
        ("eyJ0.eyJ0.x", 403, "Not authenticated"),
        ("Basic x", 403, "Invalid authentication credentials"),
        ("Token x", 403, "Invalid authentication credentials"),
        ("Bearer x", 401, "Could not validate credentials"),
        ("bearer x", 401, "Could not validate credentials"),
        ("BEARER x", 401, "Could not validate credentials"),
    ],
)
def test_the_authorization_header(chat: Chat, header: str | None, status: int, detail: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = chat.get("/api/users/me", headers=headers)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_the_scheme_has_no_case(chat: Chat) -> None:
    ana = chat.user()
    for scheme in ("bearer", "BEARER", "BeArEr"):
        assert chat.get("/api/users/me", headers={"Authorization": f"{scheme} {ana.token}"}).status_code == 200


def test_rest_routes_take_no_token_from_the_query(chat: Chat) -> None:
    answer = chat.get("/api/users/me", params={"token": chat.user().token})
    assert (answer.status_code, answer.json()) == (403, {"detail": "Not authenticated"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/rooms/abc", None),
        ("GET", "/api/rooms/1/messages?limit=-1", None),
        ("POST", "/api/rooms/", {}),
        ("POST", "/api/rooms/abc/messages", {"content": 5}),
        ("DELETE", "/api/uploads/abc", None),
    ],
)
def test_the_user_is_checked_before_parameters_and_body(chat: Chat, method: str, path: str, body: object) -> None:
    nobody = tokens.sign_for(unique("nobody"), SECRET_KEY)
    headers = {"Authorization": f"Bearer {nobody}"}
    answer = chat.call(method, path, headers=headers, json=body)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Could not validate credentials"})
    assert answer.headers["www-authenticate"] == "Bearer"
    ana = chat.user()
    assert chat.call(method, path, ana, json=body).status_code == 422
    chat.database.rows("update users set is_active = false where id = ?", ana.id)
    answer = chat.call(method, path, ana, json=body)
    assert (answer.status_code, answer.json()) == (400, {"detail": "Inactive user"})


def test_an_old_token_does_not_follow_a_name_to_its_next_owner(chat: Chat) -> None:
    ana = chat.user()
    token = chat.log_in(ana.username).json()["access_token"]
    name = ana.username
    renamed = chat.put("/api/users/me", ana, json={"username": unique("renamed")})
    assert renamed.status_code == 200
    assert status_of(chat, token) == 401
    successor = chat.user(username=name + "x")
    assert chat.put("/api/users/me", successor, json={"username": name}).status_code == 200
    assert status_of(chat, token) == 401, "the token of the first owner opened the account of the second"
    fresh = chat.log_in(name).json()["access_token"]
    assert status_of(chat, fresh) == 200


def test_algorithm_and_lifetime_are_settings(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"ALGORITHM": "HS512", "ACCESS_TOKEN_EXPIRE_MINUTES": "2"})
    chat.server.start()
    ana = chat.user()
    token = chat.log_in(ana.username).json()["access_token"]
    assert tokens.read_header(token)["alg"] == "HS512"
    life = tokens.read_claims(token)["exp"]
    assert isinstance(life, int)
    assert 110 <= life - time.time() <= 121
    assert status_of(chat, token) == 200
    assert status_of(chat, ana.token) == 401, "a token with another algorithm was accepted"
