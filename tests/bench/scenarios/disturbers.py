"""Disturbers: one client in a room of 1,000 that misbehaves, and what it does to the others.

It runs in a process of its own, floods at 50,000 frames per second, or as fast as the server takes them, and comes back
when it is thrown out. A third turn lets it flood another instance of the service: what the room notices then is the
machine and not the service.
"""

from contextlib import ExitStack
from statistics import median

from dataset import sockets
from load_client import CONTENT_BYTES, Client, Result, SocketClient, open_loop
from server import Server
from table import Row, at_most, ratio_at_most
from workshop import Workshop, cpu_micros, latency, show

USERS = 50
READERS = 1000
SENDERS = 4
PER_SECOND = 200
# Many short turns: a pause of the disk, which comes now and then, then decides few of them, and not their median.
SECONDS = 2
ROUNDS = 15
# Long enough, and of long enough messages, that what a slow reader leaves unread does not fit into its outbox.
SLOW_SECONDS = 12
SLOW_CONTENT_BYTES = 2000
SLOW_ROUNDS = 7
BEHAVIOURS = {
    "slow_reader": "a reader of 1 byte/s",
    "ping_flood": "a flood of pings",
    "fragment_flood": "a flood of fragments",
    "frame_flood": "a flood of frames to be answered",
    "typing_flood": "a flood of frames about typing",
}
MOST_TIMES = 1.1
# WS_OUTBOX_MAX_BYTES as it is without being set, and what an allocator may keep beside it.
MOST_GROWTH_KILOBYTES = 1_049 + 256


def measure(workshop: Workshop) -> list[Row]:
    """200 messages per second to 1,000, with and without a slow reader and four kinds of floods."""
    with ExitStack() as stack:
        server, dataset = workshop.start_ours(stack, "disturbers")
        dataset.add_users(USERS + 1)
        dataset.add_rooms(range(1, 2), range(1, 2))
        elsewhere, dataset = workshop.start_ours(stack, "elsewhere")
        dataset.add_users(USERS + 1)
        dataset.add_rooms(range(1, 2), range(1, 2))
        client = stack.enter_context(SocketClient(server, sockets(USERS, range(1, 2), READERS)))
        path = sockets(USERS + 1, range(1, 2), USERS + 1)[-1][0]
        return [row for behaviour in BEHAVIOURS for row in _rows(client, server, elsewhere, path, behaviour)]


def _rows(client: SocketClient, server: Server, elsewhere: Server, path: str, behaviour: str) -> list[Row]:
    alone: list[Result] = []
    beside: list[Result] = []
    apart: list[Result] = []
    ended = 0
    slow = behaviour == "slow_reader"
    seconds, content_bytes = (SLOW_SECONDS, SLOW_CONTENT_BYTES) if slow else (SECONDS, CONTENT_BYTES)
    rounds = SLOW_ROUNDS if slow else ROUNDS
    message = open_loop(PER_SECOND, SENDERS)
    for _ in range(rounds):
        # As long as the turn beside it.
        alone.append(client.load(seconds, message, content_bytes=content_bytes))
        for target, turns in ((server, beside), (elsewhere, apart)):
            plan = {"scenario": "disturb", "address": target.address, "path": path, "behaviour": behaviour}
            with Client(plan) as disturber:
                disturber.result()
                turns.append(client.load(seconds, message, content_bytes=content_bytes))
                thrown_out = disturber.end()["ended"]
            ended += thrown_out if target is server else 0
    name = BEHAVIOURS[behaviour]
    show(f"without {name}", alone)
    # A slow reader cannot see its end behind all it has not read.
    show(f"with {name}" if slow else f"with {name}, thrown out {ended} times", beside)
    # Round by round, because what else the machine does changes meanwhile.
    times = _times(beside, alone)
    figure, without = latency(beside, "p99_ms"), latency(alone, "p99_ms")
    rows = [
        Row(f"{name}: p99 ms of the others", figure, without, "without"),
        Row(f"{name}: p99 of the others, times that without", times, goal=ratio_at_most(times, 1, MOST_TIMES)),
        Row(f"{name}: CPU µs per delivery", cpu_micros(beside), cpu_micros(alone), "without"),
    ]
    if slow:
        growth = median(
            (with_it["resident_bytes"] - without["resident_bytes"]) / 1000
            for with_it, without in zip(beside, alone, strict=True)
        )
        rows.append(Row(f"{name}: resident kB more", growth, goal=at_most(growth, MOST_GROWTH_KILOBYTES)))
    show(f"with {name} at another instance", apart)
    rows.append(Row(f"{name}, at another instance: p99 here, times that without", _times(apart, alone)))
    return rows


def _times(turns: list[Result], others: list[Result]) -> float:
    return median(_p99(turn) / _p99(other) for turn, other in zip(turns, others, strict=True))


def _p99(turn: Result) -> float:
    return latency([turn], "p99_ms")
