"""Ingest: messages stored and delivered per second, from 200 senders in 200 rooms."""

from contextlib import ExitStack

from dataset import sockets
from load_client import SocketClient, closed_loop
from table import Row, at_least
from workshop import OURS, POSTGRES, Workshop, per_second

ROOMS = range(1, 201)
PER_SENDER = 16
ROUNDS = 3
SECONDS = 2
LEAST = 20_000


def measure(workshop: Workshop) -> list[Row]:
    """200 senders, each the only socket of its room, 16 messages of each under way; SQLite and PostgreSQL."""
    places = sockets(len(ROOMS), ROOMS, 1)
    with ExitStack() as stack:
        clients = {}
        for name in (OURS, POSTGRES):
            server, dataset = workshop.start_ours(stack, f"ingest {name}", postgres=name == POSTGRES)
            dataset.add_users(len(ROOMS))
            dataset.add_rooms(ROOMS, range(1, 2))
            clients[name] = stack.enter_context(SocketClient(server, places))
        loads = {"all": closed_loop(len(ROOMS) * PER_SENDER, 1)}
        results = workshop.take_turns(clients, loads, ROUNDS, SECONDS)
    rates = {name: per_second(turns["all"], "messages") for name, turns in results.items()}
    return [
        Row(f"ingest{name.removeprefix(OURS)}: messages per second", rate, goal=at_least(rate, LEAST))
        for name, rate in rates.items()
    ]
