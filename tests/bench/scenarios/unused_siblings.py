"""The sibling systems while nobody uses them: what the service costs with all of them, and with none."""

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from dataset import Dataset, sign_token, sockets
from load_client import Client, SocketClient, closed_loop, measure_requests
from server import Server, uvicorn_server
from table import Row
from uploader import cpu_seconds
from workshop import Workshop, cpu_micros

SYSTEMS = {"all": {}, "none": {"COMPAT_SYSTEMS": ""}}
USERS = 200
ROUNDS = 5
SECONDS = 1.5
IDLE_SECONDS = 10
CONNECTS = 2000
REFERENCE = "without"

Figures = dict[str, list[float]]


def measure(workshop: Workshop) -> list[Row]:
    """The service with all siblings and with none, in turns: memory, a request, a handshake, a delivery, idleness."""
    figures: dict[str, Figures] = {name: {} for name in SYSTEMS}
    with ExitStack() as stack:
        servers = {name: _start(stack, workshop.folder / f"siblings-{name}", more) for name, more in SYSTEMS.items()}
        for name, server in servers.items():
            _note(figures[name], "start: CPU seconds", cpu_seconds(server))
        clients = {
            name: stack.enter_context(SocketClient(server, sockets(USERS, range(1, 2), USERS)))
            for name, server in servers.items()
        }
        for _ in range(ROUNDS):
            for name, server in servers.items():
                _take_turn(figures[name], server, clients[name])
        for name, client in clients.items():
            idle = client.idle(IDLE_SECONDS)
            _note(figures[name], "idle: CPU ms per second", idle["server_cpu_seconds"] / idle["seconds"] * 1000)
            _note(figures[name], "resident MB", idle["resident_bytes"] / 1e6)
    return [
        Row(f"with unused siblings, {figure}", median(values), median(figures["none"][figure]), REFERENCE)
        for figure, values in figures["all"].items()
    ]


def _start(stack: ExitStack, folder: Path, more: dict[str, str]) -> Server:
    dataset = Dataset.in_file(folder / "chat.db")
    environment = {**dataset.environment, **more}
    server = stack.enter_context(uvicorn_server("chat_app.main:app", folder, environment, welcomes=True))
    dataset.add_users(USERS)
    dataset.add_rooms(range(1, 2), range(1, 2))
    return server


def _take_turn(figures: Figures, server: Server, client: SocketClient) -> None:
    request = {"path": "/api/users/me/rooms", "authorization": f"Bearer {sign_token(1)}"}
    answered = measure_requests(server, request, SECONDS)
    _note(figures, "a request: CPU ms", answered["server_cpu_seconds"] / answered["requests"] * 1000)
    _note(figures, "a handshake and its end: CPU µs", _handshake_micros(server))
    delivered = client.load(SECONDS, closed_loop(16, 16))
    _note(figures, "a delivery: CPU µs", cpu_micros([delivered]))


def _handshake_micros(server: Server) -> float:
    plan = {
        "scenario": "churn",
        "server": server.plan,
        "paths": [path for path, _ in sockets(USERS, range(1, 2), USERS)],
        "warm_up_connects": 0,
        "connects": CONNECTS,
        "concurrency": 8,
    }
    before = cpu_seconds(server)
    with Client(plan) as client:
        client.result()
    return (cpu_seconds(server) - before) / CONNECTS * 1e6


def _note(figures: Figures, name: str, value: float) -> None:
    figures.setdefault(name, []).append(value)
