"""Fan-out: what a delivery costs, in one room of 1,000, in one of 10,000, and in 1,000 rooms of 10.

The service checks who connects and stores every message before it delivers it; the references do neither. All are up
at the same time, each with its own sockets, and are measured in turns.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from dataset import sockets
from load_client import Result, SocketClient, closed_loop
from references import FASTAPI
from table import Goal, Row, ratio_at_most, ratio_below
from workshop import OURS, POSTGRES, Workshop, cpu_micros, per_second

USERS = 50
SENDERS = 4
ROUNDS = 3
# Single turns differ by more than half, and a round of the smaller room is short.
ROUNDS_OF_1000 = 7
GOALS: dict[int, Callable[[float, float], Goal]] = {
    4: partial(ratio_at_most, limit=1.15),
    16: partial(ratio_at_most, limit=1.3),
    64: partial(ratio_below, limit=1),
    256: partial(ratio_below, limit=1),
}


def measure(workshop: Workshop) -> list[Row]:
    """One room of 1,000 sockets: SQLite, PostgreSQL, the references and, once, the usual way."""
    places = sockets(USERS, range(1, 2), 1000)
    rows = _measure(
        workshop, "fan-out to 1,000", places, (4, 16, 64), seconds=1.5, rounds=ROUNDS_OF_1000, postgres=True
    )
    with FASTAPI.start(workshop.folder / FASTAPI.folder) as server, SocketClient(server, places) as client:
        turns = workshop.take_turns({FASTAPI.name: client}, {"16 in flight": closed_loop(16, SENDERS)}, 1, 2)
    usual = cpu_micros(turns[FASTAPI.name]["16 in flight"])
    name = "fan-out to 1,000, 16 in flight: CPU µs per delivery"
    ours = next(row.ours for row in rows if row.name == name)
    return [*rows, Row(name, ours, usual, FASTAPI.name)]


def measure_large(workshop: Workshop) -> list[Row]:
    """One room of 10,000 sockets."""
    places = sockets(USERS, range(1, 2), 10_000)
    return _measure(workshop, "fan-out to 10,000", places, (4, 16, 64), seconds=2)


def measure_rooms(workshop: Workshop) -> list[Row]:
    """1,000 rooms of 10 sockets, one of which writes."""
    places = sockets(1000, range(1, 1001), 10)
    return _measure(workshop, "1,000 rooms of 10", places, (4, 16, 64, 256), seconds=1.5, rooms=1000)


def _measure(
    workshop: Workshop,
    name: str,
    places: Sequence[tuple[str, int]],
    in_flight: Sequence[int],
    *,
    seconds: float,
    rooms: int = 1,
    rounds: int = ROUNDS,
    postgres: bool = False,
) -> list[Row]:
    users = 1000 if rooms > 1 else USERS
    with ExitStack() as stack:
        servers = {}
        for label in (OURS, POSTGRES) if postgres else (OURS,):
            server, dataset = workshop.start_ours(stack, f"{name} {label}", postgres=label == POSTGRES)
            dataset.add_users(users)
            dataset.add_rooms(range(1, rooms + 1), range(1, 2))
            servers[label] = server
        servers |= workshop.start_references(stack)
        clients = {label: stack.enter_context(SocketClient(server, places)) for label, server in servers.items()}
        loads = {f"{n} in flight": closed_loop(n, SENDERS if rooms == 1 else 1) for n in in_flight}
        results = workshop.take_turns(clients, loads, rounds, seconds)
    ours = {label: results.pop(label) for label in (OURS, POSTGRES) if label in results}
    return [
        row
        for label, by_load in ours.items()
        for n in in_flight
        for row in _rows(
            f"{name}{label.removeprefix(OURS)}, {n} in flight",
            by_load[f"{n} in flight"],
            {reference: turns[f"{n} in flight"] for reference, turns in results.items()},
            GOALS[n],
        )
    ]


def _rows(
    name: str,
    ours: list[Result],
    references: dict[str, list[Result]],
    goal: Callable[[float, float], Goal],
) -> list[Row]:
    figure = cpu_micros(ours)
    best, reference = min(((who, cpu_micros(turns)) for who, turns in references.items()), key=lambda pair: pair[1])
    quickest, rate = max(
        ((who, per_second(turns, "deliveries")) for who, turns in references.items()), key=lambda pair: pair[1]
    )
    return [
        Row(f"{name}: CPU µs per delivery", figure, reference, best, goal(figure, reference)),
        Row(f"{name}: deliveries per second", per_second(ours, "deliveries"), rate, quickest),
    ]
