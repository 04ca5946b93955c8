"""What all scenarios share: the place for their files, PostgreSQL, and the turns in which servers are measured."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from dataset import Dataset
from harness.database import Database
from harness.postgres import PostgresCluster
from load_client import Result, SocketClient
from references import FAST, Reference
from server import Server, our_server

OURS = "ours"
POSTGRES = "ours on PostgreSQL"
# A reference this much dearer than the best one is not measured again: it decides nothing.
HOPELESS_TIMES = 3


class DurableCluster(PostgresCluster):
    """A cluster whose commits survive a crash, unlike that of the tests."""

    def start(self) -> None:
        """Start the server on its port and wait until it answers."""
        options = f'-h 127.0.0.1 -p {self.port} -k "" -c fsync=on -c synchronous_commit=on -c max_connections=100'
        self._control("-o", options, "-l", str(self._data / "server.log"), "start")


@dataclass
class Workshop:
    """One run of the benchmark.

    Args:
        folder: vanishes afterwards.
        stack: stops what runs until the end.
    """

    folder: Path
    stack: ExitStack
    notes: list[str] = field(default_factory=list)
    # Share of a core that the client needed, and in which turn.
    client_loads: list[tuple[float, str]] = field(default_factory=list)

    @cached_property
    def postgres(self) -> DurableCluster:
        """Started when it is first needed."""
        cluster = DurableCluster()
        self.stack.callback(cluster.close)
        database = Database(cluster.url)
        settings = {name: database.value(f"show {name}") for name in ("server_version", "fsync", "synchronous_commit")}
        if settings["fsync"] != "on" or settings["synchronous_commit"] != "on":
            raise RuntimeError(f"PostgreSQL does not promise durability: {settings}")
        self.notes.append("PostgreSQL: " + ", ".join(f"{name} {value}" for name, value in settings.items()))
        return cluster

    def start_ours(
        self, stack: ExitStack, name: str, *, postgres: bool = False, checkout: str | None = None
    ) -> tuple[Server, Dataset]:
        """The service on an empty database of its own, of this checkout or of another one."""
        folder = self.folder / name
        if postgres:
            dataset = Dataset(Database(self.postgres.create_database()))
        else:
            dataset = Dataset.in_file(folder / "chat.db")
        return stack.enter_context(our_server(folder, dataset.environment, checkout)), dataset

    def start_reference(self, stack: ExitStack, reference: Reference) -> Server | None:
        """A reference, or none, with a note, if it cannot run here."""
        try:
            server = reference.start(self.folder / reference.folder)
        except (OSError, RuntimeError) as error:
            note = f"{reference.name} is left out: {str(error).splitlines()[-1]}"
            if note not in self.notes:
                self.notes.append(note)
            return None
        return stack.enter_context(server)

    def start_references(self, stack: ExitStack) -> dict[str, Server]:
        """All fast references that can run here."""
        started = {reference.name: self.start_reference(stack, reference) for reference in FAST}
        running = {name: server for name, server in started.items() if server is not None}
        if not running:
            raise RuntimeError("\n".join(["no reference runs here:", *self.notes]))
        return running

    def take_turns(
        self, clients: Mapping[str, SocketClient], loads: Mapping[str, dict[str, Any]], rounds: int, seconds: float
    ) -> dict[str, dict[str, list[Result]]]:
        """Put every load on every server, round by round, and give the results by server and load."""
        results: dict[str, dict[str, list[Result]]] = {name: {load: [] for load in loads} for name in clients}
        for turn in range(rounds):
            for label, load in loads.items():
                for name, client in clients.items():
                    if turn > 0 and _is_hopeless(name, {who: by_load[label] for who, by_load in results.items()}):
                        continue
                    result = client.load(seconds, load)
                    results[name][label].append(result)
                    self.note_client_load(f"{name}, {label}", result)
        for name, by_load in results.items():
            for label, turns in by_load.items():
                show(f"{name}, {label}", turns)
        return results

    def note_client_load(self, turn: str, result: Result) -> None:
        """Remember what the client needed in one turn."""
        self.client_loads.append((result["client_cpu_seconds"] / result["seconds"], turn))


def _is_hopeless(name: str, results: dict[str, list[Result]]) -> bool:
    references = [cpu_micros(turns) for who, turns in results.items() if who not in (OURS, POSTGRES)]
    return name not in (OURS, POSTGRES) and cpu_micros(results[name]) > HOPELESS_TIMES * min(references)


def show(name: str, turns: list[Result]) -> None:
    """One line with what was seen, for those who watch."""
    cpu = " ".join(f"{cpu_micros([turn]):.2f}" for turn in turns)
    print(
        f"  {name}: {cpu} µs CPU per delivery (client {client_micros(turns):.2f}),"
        f" {per_second(turns, 'deliveries'):,.0f} deliveries/s, p50 {latency(turns, 'p50_ms'):.2f} ms,"
        f" p99 {latency(turns, 'p99_ms'):.2f} ms, {bytes_per_frame(turns):.0f} bytes per frame",
        flush=True,
    )


def cpu_micros(turns: list[Result]) -> float:
    """CPU time of the server per delivery."""
    return median(turn["server_cpu_seconds"] / turn["deliveries"] for turn in turns) * 1e6


def client_micros(turns: list[Result]) -> float:
    """CPU time of the client per delivery."""
    return median(turn["client_cpu_seconds"] / turn["deliveries"] for turn in turns) * 1e6


def per_second(turns: list[Result], what: str) -> float:
    """How many messages or deliveries per second."""
    return median(turn[what] / turn["seconds"] for turn in turns)


def latency(turns: list[Result], which: str) -> float:
    """A percentile of the latencies, in milliseconds."""
    return median(turn[which] for turn in turns)


def bytes_per_frame(turns: list[Result]) -> float:
    """The length of the frames of messages."""
    return median(turn["bytes"] / turn["deliveries"] for turn in turns)
