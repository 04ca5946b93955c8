"""The application is an ordinary one of FastAPI: what somebody adds works as the framework documents it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.chat import Chat, settings_for
from harness.database import Database
from harness.pool import ServerPool, check_log
from harness.processes import SCRIPTS, run_command, uvicorn_command
from harness.waiting import wait_until

ORIGIN = "http://localhost:3000"
GENERIC = {"error": "Error interno del servidor", "status_code": 500}


def running(pool: ServerPool, application: str) -> Iterator[Chat]:
    """A service with additions; its log may hold the tracebacks of routes that fail."""
    chat = pool.prepare("sqlite", command=uvicorn_command(application=application), owned=False)
    chat.server.start()
    try:
        yield chat
        chat.close_sockets()
        chat.server.stop()
    finally:
        chat.server.kill()


@pytest.fixture(scope="module")
def extended(shared_servers: ServerPool) -> Iterator[Chat]:
    """The service with the additions of a newcomer."""
    yield from running(shared_servers, "extended:app")


@pytest.fixture(scope="module")
def observed(shared_servers: ServerPool) -> Iterator[Chat]:
    """The service with Prometheus, OpenTelemetry and Sentry."""
    yield from running(shared_servers, "observed:app")


# A router of one's own, and one of the service.
ROUTERS = pytest.mark.parametrize("below", ["/theirs/5", "/api/rooms/5"])


@ROUTERS
def test_guards(extended: Chat, below: str) -> None:
    assert extended.get(f"{below}/x-guarded").status_code == 418
    assert extended.get("/all-guarded/theirs/5/x-caller").status_code == 418
    assert extended.get(f"{below}/x-caller").status_code == 403
    assert extended.get(f"{below}/x-caller", extended.user("off", active=False)).status_code == 400
    assert extended.get(f"{below}/x-caller", extended.user()).json() == 5


@ROUTERS
def test_parameters(extended: Chat, below: str) -> None:
    path = f"{below}/x-parameters?the-number=7&tag=a&tag=b"
    answer = extended.get(f"{path}&color=red&flavor=query", headers={"Cookie": "flavor=mint"})
    assert answer.json() == ["outer RED", 7, ["a", "b"], "mint"]
    assert extended.get(path).json()["detail"][0]["loc"] == ["query", "color"]


@ROUTERS
def test_responses(extended: Chat, below: str) -> None:
    answer = extended.post(f"{below}/x-created", json={"name": "ana"})
    assert (answer.status_code, answer.json()) == (202, {"room": 5, "name": "ana", "value": "resource"})
    assert answer.headers["x-added"] == "yes"
    # Both happen behind the response.
    for what in ("resource closed", "background 5"):
        wait_until(lambda what=what: what in extended.get("/seen").json(), what)


def test_start_up(extended: Chat) -> None:
    complete = "send lifespan.startup.complete"
    assert extended.get("/seen").json()[:4] == ["receive lifespan.startup", "lifespan with Core", "startup", complete]


def test_error_handlers(extended: Chat) -> None:
    assert (extended.get("/fails/tea").status_code, extended.get("/fails/tea").text) == (418, "tea: hot")
    assert extended.get("/fails/missing").json() == {"detail": "no such thing"}
    answer = extended.get("/fails/otherwise")
    # The application was made for debugging.
    assert (answer.status_code, "a secret" in answer.text) == (500, True)
    # The server has closed the connection behind the error.
    extended.server.close_http()


def test_middleware_and_overrides(extended: Chat) -> None:
    assert extended.get("/api/rooms/").headers["x-stamp"] == "hola"
    assert extended.get("/api/uploads/types/allowed").json()["max_file_size_mb"] == 7
    assert extended.get("/other/inside").json() == "/other"
    assert extended.call("HEAD", "/head").status_code == 204
    assert extended.call("HEAD", "/api/rooms").status_code == 200


def test_middleware_sees_sockets_and_uploads(extended: Chat) -> None:
    ana = extended.user()
    room = extended.room(ana)
    socket = extended.connect(room, ana)
    socket.say("hola")
    assert socket.expect("message")["content"] == "hola"
    seen = extended.get("/seen").json()
    assert {"receive websocket.connect", "receive websocket.receive", "send websocket.send"} <= set(seen)
    files = {"file": ("a.txt", b"x" * 2_000_000, "text/plain")}
    assert extended.post("/api/uploads/", ana, files=files).status_code == 201
    assert "sockets pass through Python" in extended.server.log


def test_observers(observed: Chat) -> None:
    """Each attached as its documentation says; sockets still go around Python."""
    ana = observed.user()
    room = observed.room(ana)
    observed.connect(room, ana).expect_quiet()
    assert observed.get(f"/api/rooms/{room}", ana).status_code == 200
    answer = observed.get("/fails", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.json()) == (500, GENERIC)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    # The server has closed the connection behind the error.
    observed.server.close_http()
    counted = 'http_requests_total{handler="/api/rooms/{room_id}",method="GET",status="2xx"} 1.0'
    assert counted in observed.get("/metrics").text
    for line in ("span: GET /api/rooms/{room_id} /api/rooms/{room_id}", "sentry: /fails RuntimeError"):
        wait_until(lambda line=line: line in observed.server.log, line)
    assert "[accepted]" not in observed.server.log


@pytest.mark.parametrize("script", ["chat_in_test_client.py", "chat_in_asgi_transport.py"])
def test_clients_inside_the_process(tmp_path: Path, script: str) -> None:
    settings = settings_for(Database(f"sqlite:///{tmp_path / 'chat.db'}"))
    done = run_command([sys.executable, "-W", "error::RuntimeWarning", str(SCRIPTS / script)], tmp_path, settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("chatted\n")
    check_log(done.stdout + done.stderr)
