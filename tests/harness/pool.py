"""Servers under test: a few shared ones for the whole run, and own ones for tests that need special settings.

A shared server is a database kind and a transport: ``handoff`` is plain uvicorn, whose sockets the Rust core takes
over; ``asgi`` is uvicorn with TLS, where it cannot, so that the fall-back through ASGI messages serves them;
``wrapped`` is uvicorn with a middleware around everything, which switches the fast paths of sockets and uploads off.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from harness.certificates import Certificate
from harness.chat import PASSWORD, PASSWORD_HASH, SECRET_KEY, Chat, settings_for
from harness.database import Database
from harness.postgres import PostgresAccess
from harness.processes import ServerProcess, uvicorn_command

# What must never stand in a log: unforeseen errors, and secrets of any kind.
FORBIDDEN = re.compile(
    r"Traceback \(most recent call last\)|panicked at|never retrieved|never awaited|was destroyed but it is pending"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}|\$2[aby]\$\d\d\$|" + "|".join(map(re.escape, (PASSWORD, PASSWORD_HASH, SECRET_KEY)))
)

# uvicorn's own record of a client's bad text frame, where its codec serves the socket.
OF_UVICORN = re.compile(
    r"Invalid UTF-8 sequence received from client\.\nTraceback .*?\nUnicodeDecodeError: [^\n]*", re.DOTALL
)


def check_log(text: str) -> None:
    """Fail if a log holds an unforeseen error or a secret."""
    text = OF_UVICORN.sub("", text)
    found = FORBIDDEN.search(text)
    assert found is None, f"the log holds {found[0]!r}:\n{text[-6000:]}"


class ServerPool:
    """Starts servers, remembers them, and ends them all.

    Args:
        folder: where each server gets its working folder.
        postgres: where PostgreSQL databases are made.
        certificate: for the servers with TLS.
    """

    def __init__(self, folder: Path, postgres: PostgresAccess, certificate: Certificate) -> None:
        self._folder = folder
        self._postgres = postgres
        self._certificate = certificate
        self._shared: dict[tuple[str, str, str], Chat] = {}
        self._own: list[Chat] = []
        self._count = 0

    def new_folder(self) -> Path:
        """An empty working folder."""
        self._count += 1
        folder = self._folder / f"server{self._count}"
        folder.mkdir()
        return folder

    def new_database(self, kind: str, folder: Path) -> Database:
        """A database nobody has used: ``sqlite`` (a file that does not exist yet) or ``postgres`` (empty)."""
        if kind == "sqlite":
            return Database(f"sqlite:///{folder / 'chat.db'}")
        return Database(self._postgres.create_database())

    def prepare(
        self,
        kind: str = "sqlite",
        *arguments: str,
        transport: str = "handoff",
        database: Database | None = None,
        settings: dict[str, str] | None = None,
        command: list[str] | None = None,
        address: tuple[str, int] | None = None,
        prefix: str = "",
        owned: bool = True,
    ) -> Chat:
        """A server with settings of its own, not started; ``close_own`` ends it, if it is ``owned``."""
        folder = self.new_folder()
        database = self.new_database(kind, folder) if database is None else database
        command = uvicorn_command(*arguments) if command is None else command
        context = None
        if transport == "wrapped":
            command = uvicorn_command(*arguments, application="wrapped:app")
        if transport == "asgi":
            files = self._certificate
            command = [*command, "--ssl-certfile", str(files.certificate), "--ssl-keyfile", str(files.key)]
            context = files.client_context()
        environment = {**settings_for(database), **(settings or {})}
        chat = Chat(ServerProcess(folder, environment, command, context, address, prefix=prefix), database)
        if owned:
            self._own.append(chat)
        return chat

    def shared(
        self, kind: str, transport: str = "handoff", purpose: str = "", settings: dict[str, str] | None = None
    ) -> Chat:
        """The shared server of this kind, started at the first call; tests of one purpose keep it to themselves.

        Those of one purpose agree on its settings.
        """
        key = (kind, transport, purpose)
        if key not in self._shared:
            chat = self.prepare(kind, transport=transport, settings=settings, owned=False)
            self._shared[key] = chat
            chat.server.start()
        return self._shared[key]

    def close_own(self) -> None:
        """End every server of the test and check its log."""
        chats, self._own = self._own, []
        for chat in chats:
            chat.close_sockets()
            chat.server.kill()
        for chat in chats:
            check_log(chat.server.log)

    def close(self) -> None:
        """End the shared servers, each as an operator would."""
        chats, self._shared = list(self._shared.values()), {}
        try:
            for chat in chats:
                chat.server.stop()
        finally:
            for chat in chats:
                chat.server.kill()


def lend(
    pool: ServerPool,
    kind: str,
    transport: str = "handoff",
    purpose: str = "",
    settings: dict[str, str] | None = None,
) -> Iterator[Chat]:
    """Lend a shared server to one test; afterwards close its sockets and check what it logged meanwhile."""
    chat = pool.shared(kind, transport, purpose, settings)
    seen = len(chat.server.log)
    yield chat
    chat.close_sockets()
    check_log(chat.server.log[seen:])
    assert chat.server.process.poll() is None, f"the server ended:\n{chat.server.log}"
