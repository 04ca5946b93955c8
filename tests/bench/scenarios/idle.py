"""Idle: memory and CPU time of 10,000 sockets that do nothing.

Each of ours has a user of its own and presence in a room of 100. Some sockets come and go before the first look, so
that what a server allocates once is not counted. Kernel buffers are not in the memory. Of the references only the
memory is compared: how often they ping differs.
"""

from contextlib import ExitStack

from dataset import sockets
from load_client import Client, SocketClient
from references import FAST
from server import Server
from table import Row, at_most
from workshop import Workshop

SOCKETS = 10_000
ROOMS = range(1, 101)
WARM_UP_CONNECTS = 200
# Twice the interval of uvicorn's pings.
SECONDS = 40
MOST_KILOBYTES = 6
MOST_MICROS = 2


def measure(workshop: Workshop) -> list[Row]:
    """10,000 authenticated sockets in 100 rooms, pings included; the references for their memory."""
    places = sockets(SOCKETS, ROOMS, SOCKETS // len(ROOMS))
    kilobytes = {}
    for reference in FAST:
        with ExitStack() as stack:
            server = workshop.start_reference(stack, reference)
            if server is not None:
                before = _resident_before(server, places)
                client = stack.enter_context(SocketClient(server, places))
                kilobytes[reference.name] = _kilobytes(client.connected["resident_bytes"] - before)
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, "idle")
        dataset.add_users(SOCKETS)
        dataset.add_rooms(ROOMS, range(1, 2))
        before = _resident_before(server, places)
        client = stack.enter_context(SocketClient(server, places))
        connected = _kilobytes(client.connected["resident_bytes"] - before)
        idle = client.idle(SECONDS)
    for name, figure in kilobytes.items():
        print(f"  {name}: {figure:.1f} kB per socket", flush=True)
    later = _kilobytes(idle["resident_bytes"] - before)
    most = max(connected, later)
    micros = idle["server_cpu_seconds"] / idle["seconds"] / SOCKETS * 1e6
    least = min(kilobytes, key=lambda name: kilobytes[name])
    return [
        Row(
            "10,000 idle sockets: resident kB per socket",
            most,
            kilobytes[least],
            least,
            at_most(most, MOST_KILOBYTES),
        ),
        Row(
            "10,000 idle sockets: CPU µs per socket and second",
            micros,
            goal=at_most(micros, MOST_MICROS),
        ),
    ]


def _kilobytes(resident_bytes: int) -> float:
    return resident_bytes / SOCKETS / 1000


def _resident_before(server: Server, places: list[tuple[str, int]]) -> int:
    plan = {
        "scenario": "churn",
        "server": server.plan,
        "paths": [path for path, _ in places[:WARM_UP_CONNECTS]],
        "warm_up_connects": 0,
        "connects": WARM_UP_CONNECTS,
        "concurrency": 40,
    }
    with Client(plan) as client:
        resident: int = client.result()["resident_bytes_after"]
    return resident
