"""History: 50 messages of a room with 20 members, over kept connections.

Both servers check the token, look the user up and give the same JSON from the same data.
"""

import json
from pathlib import Path
from statistics import median
from typing import Any

from dataset import Dataset, sign_token
from load_client import run_client
from server import Server, our_server
from table import Row

ROOM = 1
MEMBERS = range(1, 21)
MESSAGES = 50
PATH = f"/api/rooms/{ROOM}/messages?limit={MESSAGES}"
CONNECTIONS = 4
ROUNDS = 5
LEAST_RATIO = 10
REFERENCE = "servers.reference_history:app"


def measure(folder: Path, binary: Path) -> list[Row]:
    """Measure both servers in turns and give the rows of the table."""
    dataset = Dataset(folder / "ours" / "chat.db")
    ours: list[dict[str, Any]] = []
    reference: list[dict[str, Any]] = []
    with our_server(folder / "ours", dataset.environment) as our:
        dataset.add_users(len(MEMBERS))
        dataset.add_room(ROOM, MEMBERS)
        dataset.add_messages(ROOM, MEMBERS, MESSAGES)
        copy = dataset.copy_to(folder / "reference" / "chat.db")
        with Server(REFERENCE, folder / "reference", copy.environment) as usual:
            _check_equal(our, usual)
            for _ in range(ROUNDS):
                ours += run_client(binary, _plan(our))
                reference += run_client(binary, _plan(usual))

    def row(text: str, key: str, per: str | None = None, **options: Any) -> Row:
        figures = [median(turn[key] / (turn[per] if per else 1) for turn in turns) for turns in (ours, reference)]
        return Row(f"history: {text}", *figures, **options)

    return [
        row("requests per CPU second", "requests", "server_cpu_seconds", least_ratio=LEAST_RATIO),
        row("requests per second", "requests", "seconds"),
        row("p50 ms", "p50_ms", fewer_is_better=True),
        row("p99 ms", "p99_ms", fewer_is_better=True),
        row("bytes per answer", "body_bytes"),
    ]


def _plan(server: Server) -> dict[str, Any]:
    return {
        "scenario": "requests",
        "server_pid": server.pid,
        "address": server.address,
        "path": PATH,
        "authorization": f"Bearer {sign_token(MEMBERS.start)}",
        "connections": CONNECTIONS,
        "warm_up_seconds": 0.5,
        "phase_seconds": 2,
    }


def _check_equal(our: Server, usual: Server) -> None:
    """Both answers must be the same JSON, or the comparison means nothing."""
    token = sign_token(MEMBERS.start)
    ours, reference = (json.loads(server.get(PATH, token)) for server in (our, usual))
    if ours != reference or len(ours) != MESSAGES:
        raise RuntimeError(f"the answers differ:\n{ours[:1]}\n{reference[:1]}")
