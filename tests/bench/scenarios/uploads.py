"""Uploads: what a file of 50 MB costs beside the usual way, what twenty at once need, and whether a chat notices."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median, quantiles

from dataset import Dataset, sockets
from load_client import Result, SocketClient, open_loop
from server import Server, uvicorn_server
from table import Row, at_most, ratio_at_most
from uploader import MEGABYTE, cpu_seconds, resident_bytes, start_uploads, upload, watching_memory
from workshop import Workshop, latency, show

SIZE = 50 * MEGABYTE
ROUNDS = 5
# The system counts CPU time in hundredths of a second.
IN_A_ROW = 4
REFERENCE = "UploadFile to disk"
# At least three times as many megabytes per second of CPU time.
MOST_CPU_RATIO = 1 / 3

AT_ONCE = 20
MOST_MEGABYTES_EACH = 4
MOST_LOOP_DELAY_MS = 5

BESIDE = 10
READERS = 200
PER_SECOND = 200
SECONDS = 5
MOST_TIMES = 1.1


def measure(workshop: Workshop) -> list[Row]:
    """Files of 50 MB into the folder: one after the other, twenty at once, ten beside a room of 200."""
    with ExitStack() as stack:
        folder = workshop.folder / "uploads"
        dataset = Dataset.in_file(folder / "chat.db")
        server = stack.enter_context(
            uvicorn_server("servers.observed_chat:app", folder, dataset.environment, welcomes=True)
        )
        reference = stack.enter_context(
            uvicorn_server("servers.starlette_upload:app", workshop.folder / "starlette", {})
        )
        dataset.add_users(READERS)
        dataset.add_rooms(range(1, 2), range(1, 2))
        elsewhere, dataset = workshop.start_ours(stack, "uploads elsewhere")
        dataset.add_users(1)
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        return [*_cost(server, reference), *_at_once(pool, server), *_beside(pool, stack, server, elsewhere)]


def _cost(server: Server, reference: Server) -> list[Row]:
    ours: list[float] = []
    usual: list[float] = []
    for candidate in (server, reference):
        upload(candidate, MEGABYTE)
    for _ in range(ROUNDS):
        for candidate, costs in ((server, ours), (reference, usual)):
            before = cpu_seconds(candidate)
            for _ in range(IN_A_ROW):
                upload(candidate, SIZE)
            costs.append((cpu_seconds(candidate) - before) * 1000 / (IN_A_ROW * SIZE / MEGABYTE))
    print(f"  CPU ms per MB: ours {_texts(ours)}; {REFERENCE} {_texts(usual)}", flush=True)
    figure, other = median(ours), median(usual)
    return [
        Row(
            "upload of 50 MB: CPU ms per MB",
            figure,
            other,
            REFERENCE,
            ratio_at_most(figure, other, MOST_CPU_RATIO),
        )
    ]


def _at_once(pool: ThreadPoolExecutor, server: Server) -> list[Row]:
    server.ask("/loop-delay", "")
    before = resident_bytes(server)
    with watching_memory(server) as peak:
        for running in start_uploads(pool, server, AT_ONCE, SIZE):
            running.result()
    delays = json.loads(server.ask("/loop-delay", ""))
    late = quantiles(delays, n=100)[98]
    each = (peak[0] - before) / AT_ONCE / MEGABYTE
    print(f"  {len(delays)} timers during {AT_ONCE} uploads at once, the latest {max(delays):.1f} ms", flush=True)
    return [
        Row(f"{AT_ONCE} uploads at once: resident MB more, each", each, goal=at_most(each, MOST_MEGABYTES_EACH)),
        Row(
            f"{AT_ONCE} uploads at once: p99 ms that the event loop is late",
            late,
            goal=at_most(late, MOST_LOOP_DELAY_MS),
        ),
    ]


def _beside(pool: ThreadPoolExecutor, stack: ExitStack, server: Server, elsewhere: Server) -> list[Row]:
    client = stack.enter_context(SocketClient(server, sockets(READERS, range(1, 2), READERS)))
    alone: list[Result] = []
    beside: list[Result] = []
    # What the room notices of uploads to another process is the machine and not the service.
    apart: list[Result] = []
    for _ in range(ROUNDS):
        alone.append(client.load(SECONDS, open_loop(PER_SECOND, 4)))
        for target, turns in ((server, beside), (elsewhere, apart)):
            is_over = threading.Event()
            uploads = [pool.submit(_upload_until, is_over, target) for _ in range(BESIDE)]
            turns.append(client.load(SECONDS, open_loop(PER_SECOND, 4)))
            is_over.set()
            for running in uploads:
                running.result()
    show("without uploads", alone)
    show(f"with {BESIDE} uploads", beside)
    show(f"with {BESIDE} uploads to another instance", apart)
    times = _times(beside, alone)
    return [
        Row(
            f"{BESIDE} uploads beside: p99 ms in a room of {READERS}",
            latency(beside, "p99_ms"),
            latency(alone, "p99_ms"),
            "without",
        ),
        Row(f"{BESIDE} uploads beside: p99, times that without", times, goal=ratio_at_most(times, 1, MOST_TIMES)),
        Row(f"{BESIDE} uploads to another instance: p99 here, times that without", _times(apart, alone)),
    ]


def _times(turns: list[Result], others: list[Result]) -> float:
    return median(
        latency([turn], "p99_ms") / latency([other], "p99_ms") for turn, other in zip(turns, others, strict=True)
    )


def _upload_until(is_over: threading.Event, server: Server) -> None:
    while not is_over.is_set():
        upload(server, SIZE)


def _texts(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
