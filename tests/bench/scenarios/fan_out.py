"""Fan-out: 500 sockets in one room, some of which write.

The service checks who connects and stores every message before it delivers it; the reference does neither. The senders
write their next message when an earlier one has come back to them, so that a fixed number is under way.
"""

from pathlib import Path
from statistics import median
from typing import Any

from dataset import Dataset, sign_token
from load_client import run_client
from server import Server, our_server
from table import Row

SOCKETS = 500
USERS = 20
ROOM = 1
ROUNDS = 3
# The goal is about the last: senders that do not wait, so that the service is kept busy. With one message each under
# way the ratio is bound by one system call per delivery, whatever the service does: docs/PERFORMANCE.md.
PHASES = ({"senders": 4, "window": 1}, {"senders": 4, "window": 4}, {"senders": 4, "window": 16})
LEAST_RATIO = 10
REFERENCE = "servers.reference_chat:app"


def measure(folder: Path, binary: Path) -> list[Row]:
    """Measure both servers in turns and give the rows of the table."""
    dataset = Dataset(folder / "ours" / "chat.db")
    ours: list[list[dict[str, Any]]] = []
    reference: list[list[dict[str, Any]]] = []
    with (
        our_server(folder / "ours", dataset.environment) as our,
        Server(REFERENCE, folder / "reference", {}) as usual,
    ):
        dataset.add_users(USERS)
        dataset.add_room(ROOM, range(1, USERS + 1))
        for _ in range(ROUNDS):
            ours.append(run_client(binary, _plan(our)))
            reference.append(run_client(binary, _plan(usual)))
    return [
        row
        for index, phase in enumerate(PHASES)
        for row in _rows(
            phase, [turn[index] for turn in ours], [turn[index] for turn in reference], goal=index == len(PHASES) - 1
        )
    ]


def _plan(server: Server) -> dict[str, Any]:
    tokens = [sign_token(user) for user in range(1, USERS + 1)]
    return {
        "scenario": "fan_out",
        "server_pid": server.pid,
        "urls": [server.socket_url(ROOM, tokens[index % USERS]) for index in range(SOCKETS)],
        "content_bytes": 48,
        "warm_up_seconds": 0.3,
        "phase_seconds": 2,
        "phases": PHASES,
    }


def _rows(
    phase: dict[str, int], ours: list[dict[str, Any]], reference: list[dict[str, Any]], *, goal: bool
) -> list[Row]:
    name = f"fan-out, {phase['senders'] * phase['window']} under way"

    def middle(turns: list[dict[str, Any]], key: str, per: str | None = None) -> float:
        return median(turn[key] / (turn[per] if per else 1) for turn in turns)

    def row(text: str, key: str, per: str | None = None, **options: Any) -> Row:
        return Row(f"{name}: {text}", middle(ours, key, per), middle(reference, key, per), **options)

    per_cpu = row(
        "deliveries per CPU second", "deliveries", "server_cpu_seconds", least_ratio=LEAST_RATIO if goal else None
    )
    return [
        per_cpu,
        row("deliveries per second", "deliveries", "seconds"),
        row("p50 ms", "p50_ms", fewer_is_better=True),
        row("p99 ms", "p99_ms", fewer_is_better=True),
        row("bytes per frame", "bytes", "deliveries"),
    ]
