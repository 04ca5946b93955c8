"""Routes about the service itself, unknown routes and methods: sections 2.1, 2.6 and 8 of the contract."""

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
