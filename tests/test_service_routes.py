"""Routes about the service itself, unknown routes and methods: sections 2.1, 2.6 and 8 of the contract."""

import json
import socket

import pytest
from harness.chat import Chat
from harness.pool import ServerPool

UNKNOWN = '{"error":"Endpoint no encontrado","status_code":404}'
BOTH_FORMS = [
    "/health",
    "/cors-test",
    "/docs",
    "/redoc",
    "/api/rooms",
    "/api/users",
    "/api/users/me",
    "/api/users/me/rooms",
    "/api/users/me/files",
    "/api/uploads",
    "/api/uploads/types/allowed",
]


def test_service_answers_are_exact(chat: Chat) -> None:
    root = '{"message":"¡Bienvenido a IzpoChat API!","version":"1.0.0","docs":"/docs","status":"running"}'
    assert chat.get("/").text == root
    assert chat.get("/health").text == '{"status":"healthy","service":"IzpoChat API"}'
    cors = '{"message":"CORS working correctly","timestamp":"2025-09-23","cors_enabled":true}'
    assert chat.get("/cors-test").text == cors
    assert chat.get("/").headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", BOTH_FORMS)
def test_a_trailing_slash_is_optional_and_never_redirects(chat: Chat, path: str) -> None:
    ana = chat.user()
    bare, slashed = chat.get(path, ana), chat.get(path + "/", ana)
    assert (bare.status_code, slashed.status_code) == (200, 200)
    assert bare.content == slashed.content


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/api", "/api/", "/API/rooms", "/api/Rooms", "/api/rooms/1/nope", "/api/ws/1", "/ws/1", "/static"],
)
def test_unknown_routes(chat: Chat, path: str) -> None:
    answer = chat.get(path, chat.user())
    assert (answer.status_code, answer.text) == (404, UNKNOWN)
    assert chat.post(path).status_code in {404, 405}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/health", {"GET"}),
        ("/api/rooms/", {"GET", "POST"}),
        ("/api/rooms", {"GET", "POST"}),
        ("/api/rooms/1", {"GET", "PUT"}),
        ("/api/users/me", {"GET", "PUT"}),
        # GET reads the user of that number, so the path has it too.
        ("/api/users/register", {"GET", "POST"}),
    ],
)
def test_other_methods_are_a_405_that_lists_all(chat: Chat, path: str, methods: set[str]) -> None:
    answer = chat.call("PATCH", path, chat.user())
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    listed = {method.strip() for method in answer.headers["allow"].split(",")}
    assert listed - {"HEAD"} == methods


def test_head_never_fails(chat: Chat) -> None:
    answer = chat.call("HEAD", "/health")
    assert (answer.status_code, answer.content) in {(200, b""), (405, b"")}


def test_an_answer_comes_as_one_piece(chat: Chat) -> None:
    """On one kept connection: head and body together, a HEAD without a body, a large answer whole."""
    ana = chat.user()
    room = chat.room(ana, name="x" * 200)
    for number in range(100):
        chat.say(room, ana, f"{number} " + "ñ" * 500)
    host = chat.server.base_url.removeprefix("http://")
    address, _, port = host.rpartition(":")

    def ask(method: str, path: str) -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {ana.token}\r\n\r\n"
        connection.sendall(head.encode())
        received = connection.recv(1 << 20)
        start = received.partition(b"\r\n\r\n")[0].lower()
        assert start.startswith(b"http/1.1 200 ok"), received
        length = int(start.partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = received[len(start) + 4 :]
        if method == "HEAD":
            return body
        assert body, "the head came by itself"
        while len(body) < length:
            body += connection.recv(1 << 20)
        assert len(body) == length
        return body

    with socket.create_connection((address, int(port)), timeout=20) as connection:
        for _ in range(20):
            assert json.loads(ask("GET", f"/api/rooms/{room}"))["id"] == room
            assert ask("HEAD", f"/api/rooms/{room}") == b""
            assert len(json.loads(ask("GET", f"/api/rooms/{room}/messages?limit=100"))) == 100


def test_the_openapi_document(chat: Chat) -> None:
    document = chat.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    info = document["info"]
    assert (info["title"], info["version"]) == ("IzpoChat API", "1.0.0")
    assert info["description"] == "API backend para IzpoChat - Chat en tiempo real con soporte para archivos"
    scheme = document["components"]["securitySchemes"]["HTTPBearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["paths"]["/api/users/me"]["get"]["security"] == [{"HTTPBearer": []}]
    paths = set(document["paths"])
    for path in paths:
        assert path == "/" or path.removesuffix("/") == path or path.removesuffix("/") not in paths, path
    assert {"/api/rooms/", "/api/rooms/{room_id}/messages", "/api/ws/rooms/{room_id}/online"} <= paths


def test_title_and_health_text(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"APP_NAME": "Otra API"})
    chat.server.start()
    assert chat.get("/openapi.json").json()["info"]["title"] == "Otra API"
    assert chat.get("/health").json()["service"] == "IzpoChat API"


def test_static_files(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite")
    chat.server.start()
    static = chat.server.folder / "static"
    assert static.is_dir()
    (static / "hola.txt").write_text("hola")
    assert chat.get("/static/hola.txt").text == "hola"
    assert chat.get("/static/nope.txt").status_code == 404
    assert chat.get("/static/..%2fchat.db").status_code == 404
    assert chat.get("/static/%00").status_code in {404, 422}
