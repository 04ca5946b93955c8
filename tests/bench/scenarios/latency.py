"""Latency: how long deliveries take while messages come at fixed times, whatever the server does with them.

Counted from the time a message should have been sent, so that a server that falls behind cannot hide it. The service
may take as much longer than half again the best reference as storing a message takes: the time of a transaction with
one row into an SQLite file of the same kind in the same place, measured here without the service.
"""

import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path

from dataset import sockets
from load_client import Result, SocketClient, closed_loop, open_loop
from table import Row, at_most
from workshop import OURS, Workshop, latency, per_second, show

USERS = 50
SENDERS = 4
READERS = 1000
ROUNDS = 3
SECONDS = 2.5
PERCENTILES = {"p50_ms": ("p50", 0.5), "p99_ms": ("p99", 0.99), "p999_ms": ("p99.9", 0.999)}
COMMITS = 3000
MOST_TIMES = 1.5
# The quiet room and the one with the bursts: a message in the first waits for none in the second.
QUIET_READERS = 100
QUIET_PER_SECOND = 100
BURST = 64
BURSTS_PER_SECOND = 2
MOST_DELAY_MS = 5


def measure(workshop: Workshop) -> list[Row]:
    """One room of 1,000 at half of the highest rate of ours and the best reference, whichever is lower."""
    commits = _commit_ms(workshop.folder / "commits")
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, "latency")
        dataset.add_users(USERS)
        dataset.add_rooms(range(1, 2), range(1, 2))
        servers = {OURS: server, **workshop.start_references(stack)}
        places = sockets(USERS, range(1, 2), READERS)
        clients = {name: stack.enter_context(SocketClient(server, places)) for name, server in servers.items()}
        highest = {
            name: per_second(turns["64 in flight"], "messages")
            for name, turns in workshop.take_turns(
                clients, {"64 in flight": closed_loop(64, SENDERS)}, ROUNDS, 1
            ).items()
        }
        rate = min(highest[OURS], max(most for name, most in highest.items() if name != OURS)) / 2
        able = {name: client for name, client in clients.items() if highest[name] > rate}
        label = f"{rate:,.0f} messages/s"
        results = workshop.take_turns(able, {label: open_loop(rate, SENDERS)}, ROUNDS, SECONDS)
    ours = results.pop(OURS)[label]
    rows = []
    for key, (name, share) in PERCENTILES.items():
        best = min(results, key=lambda reference: latency(results[reference][label], key))
        reference = latency(results[best][label], key)
        commit = commits[int(share * len(commits))]
        figure = latency(ours, key)
        goal = at_most(figure, MOST_TIMES * reference + commit)
        rows.append(Row(f"latency at {label} to 1,000: {name} ms", figure, reference, best, goal))
        rows.append(Row(f"commit of one message by itself: {name} ms", commit))
    return rows


def measure_burst(workshop: Workshop) -> list[Row]:
    """A message in one room while 64 at once go to 1,000 sockets in another."""
    quiet: dict[str, list[Result]] = {}
    burst: dict[str, list[Result]] = {}
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, "burst")
        dataset.add_users(USERS)
        dataset.add_rooms(range(1, 3), range(1, 2))
        servers = {OURS: server, **workshop.start_references(stack)}
        # Clients of their own: one that is busy with the burst would be late for the other room.
        first = {
            name: stack.enter_context(SocketClient(server, sockets(USERS, range(1, 2), QUIET_READERS)))
            for name, server in servers.items()
        }
        second = {
            name: stack.enter_context(SocketClient(server, sockets(USERS, range(2, 3), READERS)))
            for name, server in servers.items()
        }
        message = open_loop(QUIET_PER_SECOND, 1)
        bursts = open_loop(BURST * BURSTS_PER_SECOND, SENDERS, burst=BURST)
        for _ in range(ROUNDS):
            for name in servers:
                quiet.setdefault(name, []).append(first[name].load(SECONDS, message))
                second[name].start_load(SECONDS + 1, bursts)
                burst.setdefault(name, []).append(first[name].load(SECONDS, message))
                second[name].result()
    for name in servers:
        show(f"{name}, nothing in the other room", quiet[name])
        show(f"{name}, bursts in the other room", burst[name])
    rows = []
    for key, (name, _) in PERCENTILES.items():
        best = min((reference for reference in burst if reference != OURS), key=lambda who: latency(burst[who], key))
        figure = latency(burst[OURS], key)
        goal = at_most(figure, latency(quiet[OURS], key) + MOST_DELAY_MS)
        rows.append(
            Row(
                f"bursts in another room: {name} ms (goal: {MOST_DELAY_MS} more than without)",
                figure,
                latency(burst[best], key),
                best,
                goal,
            )
        )
    return rows


def _commit_ms(folder: Path) -> list[float]:
    """Times of transactions as the service makes them for single messages, the shortest first."""
    folder.mkdir(parents=True)
    times = []
    with closing(sqlite3.connect(folder / "commits.db", isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("create table messages (id integer primary key, content text, sender_id integer)")
        for number in range(COMMITS):
            started = time.perf_counter()
            connection.execute("begin immediate")
            connection.execute("insert into messages (content, sender_id) values (?, ?)", ("x" * 48, number))
            connection.execute("commit")
            times.append((time.perf_counter() - started) * 1000)
    return sorted(times)
