"""Runs the load client, the program in ``rust/chat_bench``.

One JSON line tells it what to do; each line it writes is a result. It fails when anything was lost, doubled, out of
order or refused, and then so does the benchmark.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
LONGEST_RUN_SECONDS = 120


def client_binary() -> Path:
    """Build the client if need be, and say where it is."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "chat_bench"], cwd=PROJECT, check=True)
    return PROJECT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "chat_bench"


def run_client(binary: Path, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Let the client do something and give its results."""
    done = subprocess.run(
        [binary],
        input=json.dumps(plan) + "\n",
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{plan['scenario']}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def idle_client(binary: Path, urls: list[str]) -> Iterator[None]:
    """Sockets that stay open while the block runs; it starts when they have gone quiet."""
    with subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(json.dumps({"scenario": "idle", "urls": urls}) + "\n")
        client.stdin.flush()
        settled = client.stdout.readline()
        try:
            if settled:
                yield
        finally:
            client.stdin.close()
    if not settled or client.returncode != 0:
        raise RuntimeError("idle sockets were refused or lost")
