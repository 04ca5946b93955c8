"""The wheel alone is the service: installed into an empty environment, started in an empty folder, chatted through."""

import os
import sys
import zipfile
from pathlib import Path

import pytest
from harness.chat import Chat
from harness.database import Database
from harness.pool import ServerPool
from harness.processes import run_command, uvicorn_command

BUILD_SECONDS = 900
# Certificates and package indexes of the machine must be known to pip too.
PIP_PREFIXES = ("PIP_", "SSL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy", "CARGO_", "RUST")


def run(command: list[str], folder: Path, **extra: str) -> str:
    """Run a command that must succeed; gives its output."""
    passed = {key: value for key, value in os.environ.items() if key.startswith(PIP_PREFIXES)}
    done = run_command(command, folder, {**passed, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **extra}, BUILD_SECONDS)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the sources, reusing what cargo has built already."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(repository)]
    run(command, repository, CARGO_TARGET_DIR=str(repository / "target"))
    wheels = list(folder.glob("*.whl"))
    assert len(wheels) == 1
    return wheels[0]


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    assert wheel.name.startswith("izpochat-")
    assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} <= {"chat_app", "izpochat"}, names
    for name in ("chat_app/main.py", "chat_app/_native.pyi", "chat_app/py.typed", "chat_app/_native.abi3.so"):
        assert name in names


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "venv"], folder)
    installed = str(folder / "venv" / "bin" / "python")
    run([installed, "-m", "pip", "install", "--quiet", str(wheel)], folder)
    return installed


# Without the hand-off uvicorn needs a WebSocket library.
@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize(
    ("transport", "arguments"), [("handoff", ()), ("asgi", ()), ("handoff", ("--lifespan", "off"))]
)
def test_the_installed_wheel_chats(
    python: str, servers: ServerPool, transport: str, arguments: tuple[str, ...]
) -> None:
    command = uvicorn_command(*arguments, python=python)
    chat: Chat = servers.prepare("sqlite", transport=transport, command=command)
    chat.server.unset("DATABASE_URL", "SECRET_KEY", "ALLOWED_ORIGINS", "VIRTUAL_ENV")
    chat.database = Database(f"sqlite:///{chat.server.folder / 'data' / 'izpochat.db'}")
    chat.server.start()
    ana, beto = chat.register("ana"), chat.register("beto")
    room = chat.room(ana)
    sockets = chat.connect_all(room, ana, beto)
    sockets[0].say("hola")
    assert [socket.expect("message")["content"] for socket in sockets] == ["hola", "hola"]
    chat.close_sockets()
    chat.server.stop()
    chat.server.start()
    assert [message["content"] for message in chat.history(room, ana)] == ["hola"]
