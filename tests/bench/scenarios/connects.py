"""Connects: what an authenticated handshake costs, and a storm of them.

10,000 users, each with one socket, in 1,000 rooms of 10; who comes is announced to those there, and that is part of
the cost. In the storm all sockets vanish and come back at once, 500 handshakes at a time.
"""

from contextlib import ExitStack

from dataset import sockets
from harness.database import Database
from load_client import Result, SocketClient
from table import Row, at_most
from workshop import Workshop

SOCKETS = 10_000
ROOMS = range(1, 1001)
HANDSHAKES = 500
MOST_MICROS = 250
# A storm that asks the database for every socket is a stampede; by itself, a handshake is a query.
MOST_TRANSACTIONS = 0.1
COUNT = "select sum(xact_commit + xact_rollback) from pg_stat_database where datname = ?"


def measure(workshop: Workshop) -> list[Row]:
    """10,000 first handshakes and 10,000 at once on SQLite; the transactions of the latter on PostgreSQL."""
    places = sockets(SOCKETS, ROOMS, SOCKETS // len(ROOMS))
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, "connects")
        dataset.add_users(SOCKETS)
        dataset.add_rooms(ROOMS, range(1, 2))
        client = stack.enter_context(SocketClient(server, places, HANDSHAKES))
        first, storm = client.connected, client.reconnect()
    transactions = _transactions(workshop, places, 2) - _transactions(workshop, places, 1)
    per_handshake = transactions / SOCKETS
    return [
        Row("first handshake: CPU µs", _micros(first), goal=at_most(_micros(first), MOST_MICROS)),
        Row("storm of 10,000: CPU µs per handshake, losing the old socket included", _micros(storm)),
        Row("storm of 10,000: seconds until all are welcomed", storm["seconds"]),
        Row(
            "storm of 10,000: PostgreSQL transactions per handshake",
            per_handshake,
            goal=at_most(per_handshake, MOST_TRANSACTIONS),
        ),
    ]


def _micros(connects: Result) -> float:
    micros: float = connects["server_cpu_seconds"] / connects["sockets"] * 1e6
    return micros


def _transactions(workshop: Workshop, places: list[tuple[str, int]], times: int) -> int:
    """How many transactions a server makes in its life in which all sockets connect so many times.

    PostgreSQL's figures are complete only when the connections that made them have ended.
    """
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, f"connects {times}", postgres=True)
        dataset.add_users(SOCKETS)
        dataset.add_rooms(ROOMS, range(1, 2))
        client = stack.enter_context(SocketClient(server, places, HANDSHAKES))
        for _ in range(times - 1):
            client.reconnect()
    name = dataset.database.url.rpartition("/")[2]
    return int(Database(workshop.postgres.url).value(COUNT, name))
