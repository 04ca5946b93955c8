"""Log-ins: whether passwords that are checked delay messages."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from dataset import sockets
from load_client import Result, SocketClient, open_loop
from server import Server
from table import Row, at_most
from workshop import Workshop, latency, show

USERS = 50
READERS = 1000
PER_SECOND = 50
SECONDS = 4
# A turn's p99.9 is one message.
ROUNDS = 5
# At a quarter of a second of CPU time each they last longer than a phase, even on two threads.
LOGINS = 48
MOST_DELAY_MS = 5
ACCOUNT = {"username": "loginuser", "password": "correct horse battery staple"}


def measure(workshop: Workshop) -> list[Row]:
    """One room of 1,000 with 50 messages per second, with and without 48 log-ins queued at once."""
    alone: list[Result] = []
    beside: list[Result] = []
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, "logins")
        dataset.add_users(USERS)
        dataset.add_rooms(range(1, 2), range(1, 2))
        _post(server, "/api/users/register", {**ACCOUNT, "email": "login@example.com"})
        client = stack.enter_context(SocketClient(server, sockets(USERS, range(1, 2), READERS)))
        pool = stack.enter_context(ThreadPoolExecutor(LOGINS))
        for _ in range(ROUNDS):
            alone.append(client.load(SECONDS, open_loop(PER_SECOND, 1)))
            logins = [pool.submit(_post, server, "/api/users/login", ACCOUNT) for _ in range(LOGINS)]
            beside.append(client.load(SECONDS, open_loop(PER_SECOND, 1)))
            if all(login.done() for login in logins):
                raise RuntimeError("the log-ins were over before the messages")
            for login in logins:
                login.result()
    show("without log-ins", alone)
    show("with log-ins", beside)
    rows = []
    for name, key in (("p50", "p50_ms"), ("p99.9", "p999_ms"), ("longest", "max_ms")):
        figure, without = latency(beside, key), latency(alone, key)
        goal = at_most(figure, without + MOST_DELAY_MS)
        rows.append(Row(f"log-ins beside: {name} ms (goal: {MOST_DELAY_MS} more)", figure, without, "without", goal))
    return rows


def _post(server: Server, path: str, body: dict[str, str]) -> None:
    request = urllib.request.Request(
        f"http://{server.address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
