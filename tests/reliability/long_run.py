"""Thousands of random schedules: ``python tests/reliability/long_run.py --schedules 1000 --database postgres``.

Prints a line per batch and a summary; the exit status is 1 if anything was wrong. A batch is repeated with
``--first-batch``.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from harness.certificates import make_certificate
from harness.pool import ServerPool
from harness.postgres import PostgresAccess, PostgresCluster
from harness.redis_server import RedisServer
from reliability.schedule import Service, Verdict, run_batch

AT_ONCE = 10


def main() -> int:
    """Run what was asked for and give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--processes", type=int, choices=[1, 2], default=1)
    parser.add_argument("--first-batch", type=int, default=1000)
    options = parser.parse_args()
    started = time.monotonic()
    verdicts: list[Verdict] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="izpochat-reliability-")))
        cluster: PostgresCluster | None = None
        if options.database == "postgres":
            cluster = PostgresCluster()
            stack.callback(cluster.close)
        redis: RedisServer | None = None
        if options.processes > 1:
            redis = RedisServer()
            stack.callback(redis.close)
        pool = ServerPool(folder, PostgresAccess(cluster.url if cluster else ""), make_certificate(folder))
        stack.callback(pool.close_own)
        service = Service.start(pool, cluster, redis)
        batch = options.first_batch
        while len(verdicts) < options.schedules:
            found = asyncio.run(run_batch(service, batch, AT_ONCE))
            verdicts += found
            wrong = [f"  {verdict.seed}: {line}" for verdict in found for line in verdict.violations]
            messages = sum(verdict.messages for verdict in found)
            print(f"batch {batch}: {messages} messages, {len(wrong)} violations", *wrong, sep="\n", flush=True)
            batch += 1
    violated = sum(bool(verdict.violations) for verdict in verdicts)
    print(
        f"{len(verdicts)} schedules on {options.database}, {options.processes} processes, in"
        f" {time.monotonic() - started:.0f} s, batches {options.first_batch} to {batch - 1}:"
        f" {sum(v.messages for v in verdicts)} messages, {sum(v.resumes for v in verdicts)} resumes,"
        f" {sum(v.incomplete for v in verdicts)} of them incomplete, {sum(v.gaps for v in verdicts)} gaps asked for,"
        f" {violated} schedules with violations"
    )
    return 1 if violated else 0


if __name__ == "__main__":
    sys.exit(main())
