"""REST: CPU time of a request over four kept connections.

The reference for the history is the usual way: it checks the token, looks the user up and gives the same JSON from the
same data, which is checked before measuring.
"""

import json
from contextlib import ExitStack
from statistics import median
from typing import Any

from dataset import sign_token
from load_client import Result, measure_requests
from server import Server, uvicorn_server
from table import Row, at_most
from workshop import Workshop

ROOM = 1
MEMBERS = range(1, 21)
ROOMS = range(1, 11)
MESSAGES = 50
HISTORY = f"/api/rooms/{ROOM}/messages?limit={MESSAGES}"
ROUNDS = 3
SECONDS = 1.5
REFERENCE = "SQLAlchemy and pydantic"

REQUESTS: dict[str, dict[str, Any]] = {
    "history (50 messages, 20 members)": {"path": HISTORY},
    "room list (10 rooms of 20 members)": {"path": "/api/users/me/rooms"},
    "send a message": {
        "path": f"/api/rooms/{ROOM + 1}/messages",
        "method": "POST",
        "body": json.dumps({"content": "the quick brown fox jumps over the lazy dog"}),
        "status": 201,
        "same_answers": False,
    },
}
MOST_MS = (0.5, 0.6, 0.6)


def measure(workshop: Workshop) -> list[Row]:
    """History, room list and sending, each by itself; the history also the usual way."""
    ours: dict[str, list[Result]] = {name: [] for name in REQUESTS}
    usual: list[Result] = []
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, "requests")
        dataset.add_users(len(MEMBERS))
        dataset.add_rooms(ROOMS, MEMBERS)
        dataset.add_messages(ROOM, MEMBERS, MESSAGES)
        folder = workshop.folder / "sqlalchemy"
        copy = dataset.copy_to(folder / "chat.db")
        reference = stack.enter_context(uvicorn_server("servers.sqlalchemy_history:app", folder, copy.environment))
        _check_equal(server, reference)
        authorization = {"authorization": f"Bearer {sign_token(MEMBERS.start)}"}
        for _ in range(ROUNDS):
            for name, request in REQUESTS.items():
                ours[name].append(measure_requests(server, authorization | request, SECONDS))
            usual.append(measure_requests(reference, authorization | {"path": HISTORY}, SECONDS))
    rows = []
    for (name, turns), most in zip(ours.items(), MOST_MS, strict=True):
        cpu, rate = _cpu_ms(turns), _per_second(turns)
        of_history = name.startswith("history")
        rows.append(
            Row(
                f"{name}: CPU ms per request",
                cpu,
                _cpu_ms(usual) if of_history else None,
                REFERENCE if of_history else "",
                at_most(cpu, most),
            )
        )
        rows.append(
            Row(
                f"{name}: requests per second",
                rate,
                _per_second(usual) if of_history else None,
                REFERENCE if of_history else "",
            )
        )
    return rows


def _cpu_ms(turns: list[Result]) -> float:
    return median(turn["server_cpu_seconds"] / turn["requests"] for turn in turns) * 1000


def _per_second(turns: list[Result]) -> float:
    return median(turn["requests"] / turn["seconds"] for turn in turns)


def _check_equal(our: Server, usual: Server) -> None:
    """Both answers must be the same JSON but for the places, or the comparison means nothing."""
    token = sign_token(MEMBERS.start)
    ours, reference = (json.loads(server.get(HISTORY, token)) for server in (our, usual))
    for message in ours:
        del message["seq"]
    if ours != reference or len(ours) != MESSAGES:
        raise RuntimeError(f"the answers differ:\n{ours[:1]}\n{reference[:1]}")
