"""Measures the service against the usual way to build it: ``make bench``.

Every scenario starts its servers itself, in folders that vanish afterwards. The result is one table whose ratios come
from one run; the exit status is 1 if a goal was missed. Nothing here is a part of the service.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from load_client import client_binary
from scenarios import fan_out, history, idle_memory
from table import print_table

SCENARIOS = (fan_out, history, idle_memory)
# Sockets of the largest scenario and what else a process has open.
OPEN_FILES = 4096


def main() -> int:
    """Run all scenarios and give the exit status."""
    started = time.monotonic()
    _raise_open_file_limit()
    binary = client_binary()
    rows = []
    with tempfile.TemporaryDirectory(prefix="izpochat-bench-") as folder:
        for scenario in SCENARIOS:
            name = scenario.__name__.rpartition(".")[2]
            print(f"{name}: {(scenario.__doc__ or '').splitlines()[0]}", flush=True)
            rows += scenario.measure(Path(folder) / name, binary)
    print()
    print_table(rows)
    print(f"\n{time.monotonic() - started:.0f} s in all")
    missed = [row.name for row in rows if row.missed]
    if missed:
        print(f"Goals missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def _raise_open_file_limit() -> None:
    """Many systems start programs with 1,024; servers and client inherit what is set here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))


if __name__ == "__main__":
    sys.exit(main())
