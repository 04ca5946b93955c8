"""What holds for every sibling system: mounts, switches, CORS, limits, and the primary beside them."""

import pytest
from harness.chat import Chat
from harness.database import Database
from harness.pool import ServerPool
from harness.postgres import PostgresCluster, with_database
from harness.siblings import SETTINGS, Sibling, is_error

SYSTEMS = ("meetings", "calls", "ws-hub", "webrtc")
NOT_FOUND = {
    "meetings": {"error": "Ruta no encontrada"},
    "calls": {"statusCode": 404, "message": "Not Found", "error": "Not Found"},
    "ws-hub": {"message": "Not found"},
    "webrtc": {"message": "Not found", "error": "Not found"},
}
TEMPORARY = {
    "meetings": {"error": "Servicio no disponible temporalmente"},
    "calls": {"statusCode": 503, "message": "Service temporarily unavailable", "error": "Service Unavailable"},
    "ws-hub": {"message": "Service temporarily unavailable"},
    "webrtc": {"message": "Service temporarily unavailable", "error": "Service temporarily unavailable"},
}
# A route of each system with a body, which needs no account.
POSTS = {"calls": "/users", "ws-hub": "/api/auth/login", "webrtc": "/api/auth/login"}
PRIMARY_NOT_FOUND = {"error": "Endpoint no encontrado", "status_code": 404}
LISTED = ("http://localhost:3000", "http://front.example", "http://client.example", "http://second.example")
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-own"}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("path", ["/nowhere", "//", "/api/rooms/x/y/z", "/%00", "/api//rooms"])
def test_unknown_paths(chat: Chat, system: str, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "PATCH"):
        assert is_error(Sibling(chat, system).call(method, path), 404, NOT_FOUND[system])


@pytest.mark.parametrize(
    ("system", "path", "allowed"),
    [
        ("ws-hub", "/api/rooms", "GET, POST"),
        ("ws-hub", "/health", "GET"),
        ("webrtc", "/api/auth/login", "POST"),
        ("calls", "/users", "GET, POST"),
    ],
)
def test_other_methods(chat: Chat, system: str, path: str, allowed: str) -> None:
    answer = Sibling(chat, system).call("DELETE", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert "detail" not in answer.json()


def test_head_has_no_body(chat: Chat) -> None:
    hub = Sibling(chat, "ws-hub")
    answer = hub.call("HEAD", "/health")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(hub.get("/health").content))


def test_the_primary_is_what_it_was(chat: Chat) -> None:
    assert chat.get("/health").json() == {"status": "healthy", "service": "IzpoChat API"}
    assert chat.get("/").json()["status"] == "running"
    assert chat.get("/api/rooms/", chat.user()).json() is not None
    assert is_error(chat.get("/api/auth/login"), 404, PRIMARY_NOT_FOUND)
    assert is_error(chat.get("/compat"), 404, PRIMARY_NOT_FOUND)
    assert is_error(chat.get("/compat/izpo"), 404, PRIMARY_NOT_FOUND)
    assert is_error(chat.get("/usersx"), 404, PRIMARY_NOT_FOUND)
    paths = chat.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path.startswith(("/compat", "/api/meetings", "/users", "/rooms", "/calls"))]


def test_tokens_of_siblings_are_nobody_to_the_primary(chat: Chat) -> None:
    for system in ("ws-hub", "webrtc"):
        token = Sibling(chat, system).account().token
        assert chat.get("/api/users/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("system", sorted(POSTS))
def test_bodies_are_bounded(chat: Chat, system: str) -> None:
    sibling, token = Sibling(chat, system), chat.user().token
    answer = sibling.post(POSTS[system], token, content=b'{"a":"' + b"x" * 300_000 + b'"}')
    assert answer.status_code == 413
    assert "Request body too large" in answer.text
    chunks = (b" " * 65_536 for _ in range(5))
    assert sibling.post(POSTS[system], token, content=chunks).status_code == 413
    for body in (b"{", b"\xff", b'{"a":"\\ud800"}', b"[" * 100_000, b'{"a":1e999999}'):
        answer = sibling.post(POSTS[system], token, content=body)
        assert answer.status_code == 400
        assert "Invalid JSON" in answer.text
    assert chat.get("/health").status_code == 200


@pytest.mark.parametrize("origin", LISTED)
@pytest.mark.parametrize("system", SYSTEMS)
def test_listed_origins(chat: Chat, system: str, origin: str) -> None:
    sibling = Sibling(chat, system)
    answer = sibling.get("/nowhere", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"
    preflight = sibling.call("OPTIONS", "/api/rooms", headers={"Origin": origin, **PREFLIGHT})
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == origin
    assert preflight.headers["access-control-allow-headers"] == "authorization,x-own"
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert method in preflight.headers["access-control-allow-methods"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_other_origins(chat: Chat, system: str) -> None:
    sibling = Sibling(chat, system)
    answer = sibling.get("/nowhere", headers={"Origin": "http://evil.example"})
    assert is_error(answer, 404, NOT_FOUND[system])
    preflight = sibling.call("OPTIONS", "/api/rooms", headers={"Origin": "http://evil.example", **PREFLIGHT})
    for headers in (answer.headers, preflight.headers):
        assert not [name for name in headers if name.startswith("access-control")]
    assert "access-control-allow-origin" not in chat.get("/health", headers={"Origin": "http://front.example"}).headers


def test_open_calls_may_be_called_from_everywhere(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={**SETTINGS, "COMPAT_CALLS_OPEN": "true"})
    chat.server.start()
    other = {"Origin": "http://evil.example"}
    for answer in (chat.get("/users", headers=other), chat.get("/compat/calls/users", headers=other)):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    listed = chat.get("/users", headers={"Origin": "http://front.example"})
    assert listed.headers["access-control-allow-credentials"] == "true"
    hub = Sibling(chat, "ws-hub").get("/health", headers=other)
    assert "access-control-allow-origin" not in hub.headers


@pytest.mark.parametrize(
    ("value", "served"),
    [
        ("", set()),
        ("ws-hub", {"ws-hub"}),
        (" webrtc , meetings,webrtc", {"webrtc", "meetings"}),
        ('["calls"]', {"calls"}),
        (None, set(SYSTEMS)),
    ],
)
def test_the_switch(servers: ServerPool, value: str | None, served: set[str]) -> None:
    chat = servers.prepare("sqlite", settings={} if value is None else {"COMPAT_SYSTEMS": value})
    chat.server.start()
    for system in SYSTEMS:
        expected = NOT_FOUND[system] if system in served else PRIMARY_NOT_FOUND
        assert is_error(Sibling(chat, system).get("/nowhere"), 404, expected)
    assert chat.get("/users").status_code == (401 if "calls" in served else 404)
    assert chat.post("/api/meetings").status_code == (401 if "meetings" in served else 404)


def test_a_switch_without_a_meaning_is_named(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"COMPAT_SYSTEMS": "ws-hub,irc"})
    chat.server.spawn()
    assert chat.server.wait_end() != 0
    assert "COMPAT_SYSTEMS" in chat.server.log


def test_an_old_env_file_of_a_sibling(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite")
    lines = [
        "MONGODB_URI=mongodb://root:very-secret-word@db/x",
        "FIREBASE_PROJECT_ID=project",
        "NODE_ENV=production",
        "CLIENT_URL=localhost, http://app.example/path/",
        "JWT_SECRET=the-old-secret-of-the-sibling-0123456789",
        "COMPAT_SYSTEMS=",
    ]
    (chat.server.folder / ".env").write_text("\n".join(lines) + "\n")
    chat.server.start()
    warnings = [line for line in chat.server.log.splitlines() if "MONGODB_URI" in line]
    assert len(warnings) == 1
    assert "FIREBASE_PROJECT_ID" in warnings[0]
    assert "very-secret-word" not in chat.server.log
    assert "CLIENT_URL" in chat.server.log
    assert is_error(Sibling(chat, "ws-hub").get("/health"), 404, PRIMARY_NOT_FOUND)


def test_one_secret_for_everything(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite")
    chat.server.start()
    hub, webrtc = Sibling(chat, "ws-hub"), Sibling(chat, "webrtc")
    made = hub.post("/api/auth/register", json={"username": "ana", "email": "a@b.c", "password": "secreta1"})
    token = made.json()["token"]
    assert hub.get("/api/auth/me", token).status_code == 200
    assert webrtc.get("/api/rooms", token).status_code == 401
    assert Sibling(chat, "meetings").post("/api/meetings", token).status_code == 403
    assert Sibling(chat, "calls").get("/users", token).status_code == 401
    assert chat.get("/api/users/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_role_that_may_not_create_tables(servers: ServerPool, cluster: PostgresCluster) -> None:
    url = cluster.create_database()
    owner = servers.prepare("postgres", database=Database(url))
    owner.server.start()
    ana = owner.register()
    owner.server.stop()
    database = Database(url)
    for table in ("call_room_members", "call_rooms", "calls", "call_users", "meetings"):
        database.script(f"drop table compat_{table}")
    for table in ("messages", "room_members", "rooms", "accounts"):
        database.script(f"drop table compat_{table}")
    database.script("delete from __diesel_schema_migrations where version like '20261121%'")
    role = "poor_sibling"
    database.script(
        f"create role {role} login; revoke create on schema public from public;"
        f"grant select, insert, update, delete on all tables in schema public to {role};"
        f"grant usage on all sequences in schema public to {role};"
    )
    limited = with_database(cluster.url.replace("postgres@", f"{role}@"), url.rsplit("/", 1)[1])
    poor = servers.prepare("postgres", database=Database(limited))
    poor.server.start()
    assert poor.get("/api/users/me", ana).status_code == 200
    for system in SYSTEMS:
        assert is_error(Sibling(poor, system).get("/health"), 503, TEMPORARY[system])
    assert poor.server.log.count("compat_accounts") == 1
    poor.server.stop()
    database.script(f"drop owned by {role}; drop role {role};")
