"""Churn: what the memory of the service is after many connections have come and gone.

100 at a time in 100 rooms, most of them closed as they should be, every fourth just gone. As many come and go before
the first look as it takes until free lists and what waits for the interpreter's collector have reached their size
(docs/PERFORMANCE.md): what is looked for is what each connection leaves behind.
"""

from contextlib import ExitStack

from dataset import sockets
from load_client import Client
from table import Row, at_most
from workshop import Workshop

USERS = 1000
ROOMS = range(1, 101)
CONCURRENCY = 100
WARM_UP_CONNECTS = 150_000
MOST_GROWTH_KILOBYTES = 2048


def measure(workshop: Workshop) -> list[Row]:
    """50,000 connects and closes."""
    return _measure(workshop, 50_000)


def measure_million(workshop: Workshop) -> list[Row]:
    """A million connects and closes; takes some ten minutes."""
    return _measure(workshop, 1_000_000)


def _measure(workshop: Workshop, connects: int) -> list[Row]:
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, f"churn {connects}")
        dataset.add_users(USERS)
        dataset.add_rooms(ROOMS, range(1, 2))
        paths = [path for path, _ in sockets(USERS, ROOMS, USERS // len(ROOMS))]
        # Neighbours in the list are in the same room.
        paths = [path for start in range(10) for path in paths[start::10]]
        plan = {
            "scenario": "churn",
            "server": server.plan,
            "paths": paths,
            "warm_up_connects": WARM_UP_CONNECTS,
            "connects": connects,
            "concurrency": CONCURRENCY,
        }
        result = stack.enter_context(Client(plan)).result()
    growth = (result["resident_bytes_after"] - result["resident_bytes_before"]) / 1000
    return [
        Row(
            f"{connects:,} connects and closes: growth of the resident memory in kB",
            growth,
            goal=at_most(growth, MOST_GROWTH_KILOBYTES),
        ),
        Row(f"{connects:,} connects and closes: CPU µs each", result["server_cpu_seconds"] / connects * 1e6),
        Row(f"{connects:,} connects and closes: per second", connects / result["seconds"]),
    ]
