"""Cross-origin requests: section 2.8 of the contract."""

import pytest
from harness.chat import Chat
from harness.pool import ServerPool

LISTED, OTHER = "http://localhost:3000", "http://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/api/users/me", 403),
        ("DELETE", "/api/rooms/", 405),
        ("POST", "/api/users/login", 422),
    ],
)
def test_simple_requests(chat: Chat, method: str, path: str, status: int) -> None:
    listed = chat.call(method, path, headers={"Origin": LISTED})
    assert listed.status_code == status
    assert listed.headers["access-control-allow-origin"] == LISTED
    assert listed.headers["access-control-allow-credentials"] == "true"
    assert "origin" in listed.headers["vary"].lower()
    other = chat.call(method, path, headers={"Origin": OTHER})
    assert other.status_code == status
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/api/rooms/", "/api/users/me", "/nowhere"])
def test_preflights_are_answered_before_routing(chat: Chat, path: str) -> None:
    listed = chat.call("OPTIONS", path, headers={"Origin": LISTED, **PREFLIGHT})
    assert (listed.status_code, listed.text) == (200, "OK")
    assert listed.headers["access-control-allow-origin"] == LISTED
    assert listed.headers["access-control-max-age"] == "600"
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert method in listed.headers["access-control-allow-methods"]
    for name in ("authorization", "content-type"):
        assert name in listed.headers["access-control-allow-headers"].lower()
    other = chat.call("OPTIONS", path, headers={"Origin": OTHER, **PREFLIGHT})
    assert (other.status_code, other.text) == (400, "Disallowed CORS origin")
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("value", "origin", "answer"),
    [
        ("*", OTHER, "*"),
        ('["*"]', OTHER, "*"),
        (OTHER, OTHER, OTHER),
        (OTHER, LISTED, None),
        (f"{LISTED}, {OTHER}", OTHER, OTHER),
        (f'["{OTHER}"]', OTHER, OTHER),
        (None, "http://localhost:4200", "http://localhost:4200"),
    ],
)
def test_forms_of_the_setting(servers: ServerPool, value: str | None, origin: str, answer: str | None) -> None:
    chat = servers.prepare("sqlite", settings={} if value is None else {"ALLOWED_ORIGINS": value})
    if value is None:
        chat.server.unset("ALLOWED_ORIGINS")
    chat.server.start()
    headers = chat.get("/health", headers={"Origin": origin}).headers
    assert headers.get("access-control-allow-origin") == answer
    preflight = chat.call("OPTIONS", "/", headers={"Origin": origin, **PREFLIGHT})
    assert preflight.headers.get("access-control-allow-origin") == (None if answer is None else origin)


def test_a_star_names_the_origin_when_a_cookie_is_sent(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"ALLOWED_ORIGINS": "*"})
    chat.server.start()
    answer = chat.get("/health", headers={"Origin": OTHER, "Cookie": "a=b"})
    assert answer.headers["access-control-allow-origin"] == OTHER
