"""Chat works however the application is served: other options of uvicorn, other ASGI servers, the test client."""

import socket
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from harness.pool import ServerPool
from harness.processes import APPLICATION, free_port, run_command
from harness.siblings import SETTINGS
from harness.waiting import wait_until
from harness.walk import assert_all_systems_work, assert_chat_works


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ws", "none"),
        ("--ws", "websockets"),
        ("--ws", "websockets-sansio"),
        ("--ws", "wsproto"),
        ("--lifespan", "off"),
        ("--proxy-headers", "--forwarded-allow-ips", "*"),
        ("--root-path", "/chat"),
        ("--log-level", "trace"),
    ],
    ids=" ".join,
)
def test_options_of_uvicorn(servers: ServerPool, arguments: tuple[str, ...]) -> None:
    chat = servers.prepare("sqlite", *arguments)
    chat.server.start()
    assert_chat_works(chat)
    chat.server.stop()


@pytest.mark.parametrize("implementation", ["websockets", "websockets-sansio", "wsproto"])
def test_the_fall_back_with_each_implementation_of_uvicorn(servers: ServerPool, implementation: str) -> None:
    chat = servers.prepare("sqlite", "--ws", implementation, transport="asgi")
    chat.server.start()
    assert_chat_works(chat)
    # With wsproto, uvicorn fails to close what the client has closed just before. The port and our client stay.
    process = psutil.Process(chat.server.process.pid)
    wait_until(lambda: len(process.net_connections("tcp")) <= 2, "the sockets to end")
    chat.server.stop()


@pytest.mark.parametrize(
    "command",
    [
        "uvicorn --host 127.0.0.1 --port PORT --http h11",
        "gunicorn -k uvicorn_worker.UvicornWorker --bind 127.0.0.1:PORT",
        "hypercorn --bind 127.0.0.1:PORT --access-logfile -",
        "granian --interface asgi --host 127.0.0.1 --port PORT",
    ],
)
def test_all_systems_under_each_server(servers: ServerPool, tmp_path: Path, command: str) -> None:
    port = free_port()
    # gunicorn keeps a socket in the home folder.
    settings = {**SETTINGS, "HOME": str(tmp_path)}
    words = [sys.executable, "-m", *command.replace("PORT", str(port)).split(), APPLICATION]
    chat = servers.prepare("sqlite", command=words, address=("127.0.0.1", port), settings=settings)
    chat.server.start()
    assert_all_systems_work(chat)


@pytest.mark.parametrize("arguments", [(), ("--lifespan", "off")], ids=" ".join)
def test_all_systems_with_tls_in_uvicorn(servers: ServerPool, arguments: tuple[str, ...]) -> None:
    chat = servers.prepare("sqlite", *arguments, transport="asgi", settings=SETTINGS)
    chat.server.start()
    assert_all_systems_work(chat)
    chat.server.stop()


def test_all_systems_on_a_socket_that_was_passed_on(servers: ServerPool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        command = [sys.executable, "-m", "uvicorn", APPLICATION, "--fd", str(listening.fileno())]
        chat = servers.prepare("sqlite", command=command, address=address, settings=SETTINGS)
        chat.server.spawn(pass_fds=[listening.fileno()])
    chat.server.wait_ready()
    assert_all_systems_work(chat)


def test_a_unix_socket(servers: ServerPool, tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    command = [sys.executable, "-m", "uvicorn", APPLICATION, "--uds", str(path)]
    chat = servers.prepare("sqlite", command=command, address=("127.0.0.1", 0))
    chat.server.replace_http(httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost"))
    chat.server.spawn()
    wait_until(lambda: "Uvicorn running" in chat.server.log, "the server to listen")
    chat.server.wait_ready()
    ana = chat.user()
    room = chat.room(ana)
    plain = socket.socket(socket.AF_UNIX)
    plain.connect(str(path))
    opened = chat.connect(room, ana, sock=plain)
    opened.say("hola")
    assert opened.expect("message")["content"] == "hola"
    opened.close()


def test_importing_the_application_does_nothing(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": "nonsense", "DEBUG": "maybe"}
    done = run_command([sys.executable, "-c", "import chat_app.main; assert chat_app.main.app"], tmp_path, settings)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
