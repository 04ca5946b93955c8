"""Two processes on one database: how much later a message is at the other one.

Everything is measured by one thread of this process, so what the interpreter adds is in both figures.
"""

import json
import time
from contextlib import ExitStack
from statistics import quantiles

from dataset import Dataset, sign_token
from harness.database import Database
from harness.redis_server import RedisServer
from server import Server, our_server
from table import Row
from websockets.sync.client import ClientConnection, connect
from workshop import Workshop

ROOM = 1
PER_SECOND = 100
SECONDS = 15
# Until each process knows of the other's readers.
WARM_UP = 50


def measure(workshop: Workshop) -> list[Row]:
    """A sender and a reader at one process, a reader at the other, on PostgreSQL."""
    with ExitStack() as stack:
        redis = RedisServer()
        stack.callback(redis.close)
        dataset = Dataset(Database(workshop.postgres.create_database()))
        environment = {**dataset.environment, "REDIS_URL": redis.url}
        servers = [
            stack.enter_context(our_server(workshop.folder / f"process{number}", environment)) for number in range(2)
        ]
        dataset.add_users(3)
        dataset.add_rooms(range(ROOM, ROOM + 1), range(1, 4))
        sender, own, other = (
            _connect(stack, server, user) for server, user in ((servers[0], 1), (servers[0], 2), (servers[1], 3))
        )
        delays = [_delays(sender, own, other) for _ in range(WARM_UP + PER_SECOND * SECONDS)][WARM_UP:]
    rows = []
    for name, place in (("p50", 49), ("p99", 98)):
        at_own, at_other = (quantiles(column, n=100)[place] for column in zip(*delays, strict=True))
        label = f"two processes: {name} ms of a message to a reader at the other one"
        rows.append(Row(label, at_other, at_own, "at its own"))
    return rows


def _connect(stack: ExitStack, server: Server, user: int) -> ClientConnection:
    url = f"ws://{server.address}/api/ws/{ROOM}?token={sign_token(user)}"
    return stack.enter_context(connect(url, compression=None))


def _delays(sender: ClientConnection, own: ClientConnection, other: ClientConnection) -> tuple[float, float]:
    """Milliseconds from sending a message until each reader has it."""
    started = time.perf_counter()
    sender.send(json.dumps({"type": "message", "content": "x"}))
    seconds = []
    for reader in (own, other):
        while json.loads(reader.recv(timeout=30))["type"] != "message":
            pass
        seconds.append(time.perf_counter() - started)
    while json.loads(sender.recv(timeout=30))["type"] != "message":
        pass
    time.sleep(1 / PER_SECOND)
    return seconds[0] * 1e3, seconds[1] * 1e3
