"""REST: CPU time of a request over four kept connections.

The reference is a bare route of FastAPI that answers with the same bytes: no token, no database. A checkout of another
state of the project, named by ``IZPOCHAT_BENCH_BEFORE`` and built, is measured in turns with this one.
"""

import json
import os
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
ROUNDS = 5
SECONDS = 1.5
OURS, BEFORE, BARE = "ours", "before", "bare FastAPI route"

REQUESTS: dict[str, dict[str, Any]] = {
    "history (50 messages, 20 members)": {"path": f"/api/rooms/{ROOM}/messages?limit={MESSAGES}"},
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
    """History, room list and sending, each by itself and as a bare route."""
    authorization = {"authorization": f"Bearer {sign_token(MEMBERS.start)}"}
    results: dict[tuple[str, str], list[Result]] = {}
    with ExitStack() as stack:
        servers = {OURS: _start(workshop, stack, OURS)}
        if before := os.environ.get("IZPOCHAT_BENCH_BEFORE"):
            servers[BEFORE] = _start(workshop, stack, BEFORE, before)
        folder = workshop.folder / "bare"
        folder.mkdir()
        for number, request in enumerate(REQUESTS.values()):
            status = request.get("status", 200)
            body = servers[OURS].ask(
                **authorization, **{key: request[key] for key in ("path", "body") if key in request}
            )
            (folder / f"{number}.{status}").write_bytes(body)
        servers[BARE] = stack.enter_context(uvicorn_server("servers.bare_routes:app", folder, {}))
        for _ in range(ROUNDS):
            for number, (name, request) in enumerate(REQUESTS.items()):
                for who, server in servers.items():
                    path = {"path": f"/{number}"} if who == BARE else {}
                    result = measure_requests(server, authorization | request | path, SECONDS)
                    results.setdefault((name, who), []).append(result)
    rows = []
    for name, most in zip(REQUESTS, MOST_MS, strict=True):
        cpu = {who: _cpu_ms(results[name, who]) for who in servers}
        if BEFORE in servers:
            workshop.notes.append(f"{name}, before: {cpu[BEFORE]:.3f} CPU ms per request")
        rows.append(Row(f"{name}: CPU ms per request", cpu[OURS], cpu[BARE], BARE, at_most(cpu[OURS], most)))
        rate, bare = (_per_second(results[name, who]) for who in (OURS, BARE))
        rows.append(Row(f"{name}: requests per second", rate, bare, BARE))
    return rows


def _start(workshop: Workshop, stack: ExitStack, name: str, checkout: str | None = None) -> Server:
    server, dataset = workshop.start_ours(stack, f"requests {name}", checkout=checkout)
    dataset.add_users(len(MEMBERS))
    dataset.add_rooms(ROOMS, MEMBERS)
    dataset.add_messages(ROOM, MEMBERS, MESSAGES)
    return server


def _cpu_ms(turns: list[Result]) -> float:
    return median(turn["server_cpu_seconds"] / turn["requests"] for turn in turns) * 1000


def _per_second(turns: list[Result]) -> float:
    return median(turn["requests"] / turn["seconds"] for turn in turns)
