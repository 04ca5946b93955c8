"""Measures the service against what it is compared with: ``make bench``.

``python tests/bench/run.py fan_out latency`` runs the scenarios named, without names all but the long ones. Every
scenario starts its servers itself, in folders that vanish afterwards. The result is one table whose ratios come from
one run; the exit status is 1 if a goal was missed or a scenario failed. Nothing here is a part of the service.
"""

import argparse
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

# The database servers of the tests are those of the benchmark.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from load_client import build_client
from scenarios import (
    churn,
    connects,
    disturbers,
    fan_out,
    idle,
    ingest,
    latency,
    logins,
    processes,
    requests,
    signalling,
    socket_io_room,
    unused_siblings,
    uploads,
)
from table import Row, at_most, print_table
from workshop import Workshop

SCENARIOS: dict[str, Callable[[Workshop], list[Row]]] = {
    "fan_out": fan_out.measure,
    "fan_out_large": fan_out.measure_large,
    "fan_out_rooms": fan_out.measure_rooms,
    "socket_io_room": socket_io_room.measure,
    "signalling": signalling.measure,
    "latency": latency.measure,
    "latency_burst": latency.measure_burst,
    "ingest": ingest.measure,
    "disturbers": disturbers.measure,
    "logins": logins.measure,
    "requests": requests.measure,
    "connects": connects.measure,
    "uploads": uploads.measure,
    "churn": churn.measure,
    "unused_siblings": unused_siblings.measure,
    "processes": processes.measure,
    "idle": idle.measure,
}
LONG: dict[str, Callable[[Workshop], list[Row]]] = {"churn_million": churn.measure_million}
# Of the largest scenario, and what else a process has open.
OPEN_FILES = 10_500
# A client without time to spare would be what is measured.
MOST_CLIENT_LOAD = 0.8


def main() -> int:
    """Run the scenarios asked for and give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=", ".join([*SCENARIOS, *LONG]))
    names: list[str] = parser.parse_args().scenario or list(SCENARIOS)
    unknown = sorted(set(names) - {*SCENARIOS, *LONG})
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")

    # Whatever ends it, the servers must not stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    _raise_open_file_limit()
    build_client()
    rows: list[Row] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="izpochat-bench-") as folder, ExitStack() as stack:
        workshop = Workshop(Path(folder), stack)
        for name in names:
            measure = (SCENARIOS | LONG)[name]
            print(f"{name}: {(measure.__doc__ or '').splitlines()[0]}", flush=True)
            try:
                rows += measure(workshop)
            except RuntimeError as error:
                failed.append(f"{name}: {error}")
                print(f"  failed: {error}", flush=True)
    if workshop.client_loads:
        most, turn = max(workshop.client_loads)
        rows.append(Row(f"load client, busiest ({turn}): share of a core", most, goal=at_most(most, MOST_CLIENT_LOAD)))
    print()
    print_table(rows)
    print()
    for note in workshop.notes:
        print(note)
    print(f"{time.monotonic() - started:.0f} s in all")
    missed = [row.name for row in rows if row.missed]
    for title, names in (("Goals missed:", missed), ("Failed, so not in the table:", failed)):
        if names:
            print("\n".join([title, *(f"  {name}" for name in names)]), file=sys.stderr)
    return 1 if missed or failed else 0


def _raise_open_file_limit() -> None:
    """Many systems start programs with 1,024; servers and client inherit what is set here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        raise RuntimeError(f"the limit of open files is {hard}; the benchmark needs {OPEN_FILES}")
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
