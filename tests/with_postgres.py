"""Run a command while a PostgreSQL server of the tests is up: ``python tests/with_postgres.py -- COMMAND...``

The address, with superuser rights, is in the environment of the command as IZPOCHAT_TEST_POSTGRES_URL; its exit code
is passed through. A server that the environment already names is used as it is.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from harness.postgres import PostgresCluster, given_url


def run(command: Sequence[str]) -> int:
    """Run ``command`` with a server up and give its exit code."""
    url = given_url()
    if url is not None:
        return subprocess.call(command, env={**os.environ, "IZPOCHAT_TEST_POSTGRES_URL": url})
    cluster = PostgresCluster()
    try:
        return subprocess.call(command, env={**os.environ, "IZPOCHAT_TEST_POSTGRES_URL": cluster.url})
    finally:
        cluster.close()


def main() -> int:
    """Read the command line."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        print("usage: python tests/with_postgres.py -- COMMAND...", file=sys.stderr)
        return 2
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
