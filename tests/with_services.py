"""Run a command while the servers of the tests are up: ``python tests/with_services.py -- COMMAND...``

A PostgreSQL server, with superuser rights, an emulator of Google Cloud Storage, and a Redis server; their addresses
are in the environment of the command as IZPOCHAT_TEST_POSTGRES_URL, IZPOCHAT_TEST_GCS_EMULATOR, and
IZPOCHAT_TEST_REDIS_URL. The command's exit code is passed through. A server that the environment already names is used
as it is.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing

from harness import gcs_emulator, postgres, redis_server


def run(command: Sequence[str]) -> int:
    """Run ``command`` with the servers up and give its exit code."""
    with ExitStack() as servers:
        url = postgres.given_url()
        if url is None:
            url = servers.enter_context(closing(postgres.PostgresCluster())).url
        address = gcs_emulator.given_address()
        if address is None:
            address = servers.enter_context(closing(gcs_emulator.GcsEmulator())).address
        redis_url = redis_server.given_url()
        if redis_url is None:
            redis_url = servers.enter_context(closing(redis_server.RedisServer())).url
        added = {
            "IZPOCHAT_TEST_POSTGRES_URL": url,
            gcs_emulator.GIVEN_ADDRESS_KEY: address,
            redis_server.GIVEN_URL_KEY: redis_url,
        }
        return subprocess.call(command, env={**os.environ, **added})


def main() -> int:
    """Read the command line."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        print("usage: python tests/with_services.py -- COMMAND...", file=sys.stderr)
        return 2
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
