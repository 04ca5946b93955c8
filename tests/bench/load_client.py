"""Runs the load client, the program in ``rust/chat_bench``.

One JSON line tells it what to do; each line it writes is a result. It fails when anything was lost, doubled, out of
order or refused, and then so does the benchmark.
"""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from server import Server

PROJECT = Path(__file__).resolve().parents[2]
# Of a text, so that the frames of all servers are as long as each other.
CONTENT_BYTES = 48
WARM_UP_SECONDS = 0.3

Result = dict[str, Any]


def build_client() -> None:
    """Build the client if need be."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "chat_bench"], cwd=PROJECT, check=True)


class Client:
    """One running client; a context manager that ends it.

    Args:
        plan: its first line.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self._scenario = plan["scenario"]
        self._process = subprocess.Popen(
            [PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "chat_bench"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._write(plan)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        # Closes the pipes: the end of its input is what ends it.
        self._process.__exit__(kind, error, trace)

    def command(self, command: dict[str, Any]) -> Result:
        """Have it do something and give the result."""
        self._write(command)
        return self.result()

    def result(self) -> Result:
        """Its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise RuntimeError(f"{self._scenario}: {self._process.stderr.read().strip()}")
        result: Result = json.loads(line)
        return result

    def end(self) -> Result:
        """End its input and give its last result."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.result()

    def _write(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            # It has given up; its next result says why.
            return


class SocketClient(Client):
    """A client with sockets that stay open; it is made when all are.

    Args:
        server: where it connects to.
        sockets: path with query, and room, of each; or all that the client needs to know of each.
        handshakes: how many at a time.
    """

    def __init__(
        self, server: Server, sockets: Iterable[tuple[str, int] | dict[str, Any]], handshakes: int = 64
    ) -> None:
        places = [place if isinstance(place, dict) else {"path": place[0], "room": place[1]} for place in sockets]
        super().__init__({"scenario": "sockets", "server": server.plan, "sockets": places, "handshakes": handshakes})
        try:
            self.connected = self.result()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def load(self, seconds: float, load: dict[str, Any], *, content_bytes: int = CONTENT_BYTES) -> Result:
        """Messages for some time."""
        self.start_load(seconds, load, content_bytes=content_bytes)
        return self.result()

    def start_load(self, seconds: float, load: dict[str, Any], *, content_bytes: int = CONTENT_BYTES) -> None:
        """As :meth:`load`, without waiting for the result."""
        self._write(
            {
                "command": "load",
                "content_bytes": content_bytes,
                "warm_up_seconds": WARM_UP_SECONDS,
                "seconds": seconds,
                **load,
            }
        )

    def idle(self, seconds: float) -> Result:
        """Answers to pings, and nothing else."""
        return self.command({"command": "idle", "seconds": seconds})

    def reconnect(self) -> Result:
        """Drop all sockets and connect them again."""
        return self.command({"command": "reconnect"})


def closed_loop(in_flight: int, senders: int) -> dict[str, Any]:
    """Senders of each room that wait for messages to come back, so that ``in_flight`` are under way over all rooms."""
    return {"senders_per_room": senders, "pace": {"closed": {"in_flight": in_flight}}}


def open_loop(per_second: float, senders: int, *, burst: int = 1) -> dict[str, Any]:
    """Senders that write at fixed times, whatever comes back, ``burst`` messages at once."""
    return {"senders_per_room": senders, "pace": {"open": {"per_second": per_second, "burst": burst}}}


def measure_requests(server: Server, request: dict[str, Any], seconds: float) -> Result:
    """One request over and over on kept connections."""
    plan = {
        "scenario": "requests",
        "server": server.plan,
        "method": "GET",
        "body": "",
        "status": 200,
        "same_answers": True,
        "connections": 4,
        "warm_up_seconds": WARM_UP_SECONDS,
        "seconds": seconds,
        **request,
    }
    with Client(plan) as client:
        return client.result()
