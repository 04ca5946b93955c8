"""Two servers between the service and PostgreSQL, made of the frontend/backend protocol (version 3) and threads.

``CountingProxy`` passes everything on and counts the statements. ``TransactionPooler`` behaves as pgbouncer does in
transaction mode: a client keeps a server connection only while a transaction is open, then gets another one.
"""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit, urlunsplit

SSL_REQUEST, CANCEL_REQUEST = 80877103, 80877102
EXECUTE, QUERY, SYNC, READY, TERMINATE = b"E", b"Q", b"S", b"Z", b"X"


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """``count`` bytes, or EOFError."""
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def read_message(connection: socket.socket) -> tuple[bytes, bytes]:
    """Kind of the next message, and all of it."""
    head = read_exactly(connection, 5)
    return head[:1], head + read_exactly(connection, int.from_bytes(head[1:]) - 4)


def read_startup(client: socket.socket) -> bytes | None:
    """The startup packet of a client that may first have asked for TLS, which is refused; None if it only cancels."""
    while True:
        length = int.from_bytes(read_exactly(client, 4))
        body = read_exactly(client, length - 4)
        code = int.from_bytes(body[:4])
        if code == CANCEL_REQUEST:
            return None
        if code != SSL_REQUEST:
            return struct.pack("!I", length) + body
        client.sendall(b"N")


class PostgresRelay:
    """Listens on a free port and serves each client in a thread of its own.

    Args:
        upstream: the address of the real server, with a database.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        netloc = f"{parts.username}@127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = urlunsplit(parts._replace(netloc=netloc))
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._guard, args=(client,), daemon=True).start()

    def _guard(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError), client:
            startup = read_startup(client)
            if startup is not None:
                self._serve(client, startup)

    def _serve(self, client: socket.socket, startup: bytes) -> None:
        raise NotImplementedError

    def _connect(self) -> socket.socket:
        server = socket.create_connection(self._upstream)
        self._open.append(server)
        return server

    def close(self) -> None:
        """End every connection."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CountingProxy(PostgresRelay):
    """Passes everything on; ``statements`` counts what was executed."""

    def __init__(self, upstream: str) -> None:
        self.statements = 0
        super().__init__(upstream)

    def count(self, action: Callable[[], object]) -> int:
        """How many statements an action takes."""
        before = self.statements
        action()
        return self.statements - before

    def _serve(self, client: socket.socket, startup: bytes) -> None:
        with self._connect() as server:
            server.sendall(startup)
            threading.Thread(target=self._pump_back, args=(server, client), daemon=True).start()
            while True:
                kind, message = read_message(client)
                if kind in {EXECUTE, QUERY}:
                    self.statements += 1
                server.sendall(message)

    @staticmethod
    def _pump_back(server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)


class TransactionPooler(PostgresRelay):
    """Gives each transaction the server connection used last, as pgbouncer does by default."""

    def __init__(self, upstream: str) -> None:
        self._idle: list[socket.socket] = []
        self._changed = threading.Condition()
        super().__init__(upstream)

    def _new_server(self, startup: bytes) -> bytes:
        """Log in with the startup packet of a client; gives what the server said."""
        server = self._connect()
        server.sendall(startup)
        greeting = b""
        while True:
            kind, message = read_message(server)
            greeting += message
            if kind == READY:
                break
            if kind == b"E":
                return greeting
        with self._changed:
            self._idle.append(server)
            self._changed.notify()
        return greeting

    def _serve(self, client: socket.socket, startup: bytes) -> None:
        greeting = self._new_server(startup)
        client.sendall(greeting)
        while True:
            kind, message = read_message(client)
            if kind == TERMINATE:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._idle)
                server = self._idle.pop()
            self._transaction(client, server, kind, message)
            with self._changed:
                self._idle.append(server)
                self._changed.notify()

    @staticmethod
    def _transaction(client: socket.socket, server: socket.socket, kind: bytes, message: bytes) -> None:
        while True:
            server.sendall(message)
            while kind not in {QUERY, SYNC}:
                kind, message = read_message(client)
                server.sendall(message)
            while True:
                answer, data = read_message(server)
                client.sendall(data)
                if answer == READY:
                    break
            if data[5:6] == b"I":
                return
            kind, message = read_message(client)
