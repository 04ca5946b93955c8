"""Plain SQL on the database of a server under test, the same text for SQLite and PostgreSQL.

Parameters are written ``?``. Connections are short: nothing is held while the service works.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Database:
    """One database by its address, as it stands in DATABASE_URL."""

    url: str

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a file."""
        return self.url.startswith("sqlite:")

    @property
    def path(self) -> Path:
        """The file of an SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))

    def now(self) -> object:
        """The present time as a value for a time column."""
        now = datetime.now(UTC)
        return now.isoformat(" ", "microseconds") if self.is_sqlite else now

    def rows(self, statement: str, *parameters: object) -> list[Row]:
        """Run one statement in a transaction of its own and give the rows, if any."""
        if self.is_sqlite:
            with self._file() as file, file:
                return file.execute(statement, parameters).fetchall()
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(_for_psycopg(statement), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *parameters: object) -> Any:
        """The first column of the first row."""
        return self.rows(statement, *parameters)[0][0]

    def many(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run one statement for many rows in one transaction."""
        if self.is_sqlite:
            with self._file() as file, file:
                file.executemany(statement, parameters)
            return
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.executemany(_for_psycopg(statement), parameters)

    def script(self, statements: str) -> None:
        """Run several statements without parameters."""
        if self.is_sqlite:
            with self._file() as file:
                file.executescript(statements)
            return
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statements.encode())

    def _file(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.path, timeout=10))


def _for_psycopg(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()
