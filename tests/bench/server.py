"""A server under measurement: a process of its own, with its own folder, port and environment.

Everything under uvicorn runs with the same options: uvloop, httptools and websockets, which it picks by itself when
they are installed, and no access log, whose lines are no part of the work that is compared.
"""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

BENCH_FOLDER = Path(__file__).resolve().parent
START_SECONDS = 30
STOP_SECONDS = 15
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV")
ADDRESS = re.compile(r"running on http://(127\.0\.0\.1:\d+)")


class Server:
    """One running server; a context manager that stops it.

    Args:
        command: what starts it; it says "running on http://127.0.0.1:port" when it listens.
        folder: its working folder, made if it is missing.
        environment: its settings.
        welcomes: whether it sends a first frame to each socket.
        dialect: what is spoken, ``plain``, ``socket_io`` or ``signalling``.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: dict[str, str],
        *,
        welcomes: bool = False,
        dialect: str = "plain",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log_path = folder / "server.log"
        self._welcomes = welcomes
        self._dialect = dialect
        kept = {key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ}
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env={**kept, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self.address = self._wait_for_address()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def plan(self) -> dict[str, Any]:
        """What the load client must know about it."""
        return {"pid": self._process.pid, "address": self.address, "welcomes": self._welcomes, "dialect": self._dialect}

    def ask(self, path: str, authorization: str, body: str | None = None) -> bytes:
        """The body of the answer to one GET, or to a POST of this JSON."""
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        data = None if body is None else body.encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: bytes = response.read()
            return answer

    def stop(self) -> None:
        """End it, politely first."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_for_address(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            log = self._log_path.read_text(errors="replace")
            found = ADDRESS.search(log)
            if found is not None:
                return found[1]
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"the server did not start:\n{self._log_path.read_text(errors='replace')}")


def uvicorn_server(
    application: str,
    folder: Path,
    environment: dict[str, str],
    *,
    welcomes: bool = False,
    dialect: str = "plain",
    code: str | Path = BENCH_FOLDER,
) -> Server:
    """An ASGI application under uvicorn, found in the folder ``code``."""
    command = [sys.executable, "-m", "uvicorn", application, "--app-dir", str(code)]
    command += ["--host", "127.0.0.1", "--port", "0", "--no-access-log"]
    return Server(command, folder, environment, welcomes=welcomes, dialect=dialect)


def our_server(folder: Path, environment: dict[str, str], checkout: str | None = None) -> Server:
    """The service, of this checkout or of another one."""
    code = BENCH_FOLDER if checkout is None else checkout
    return uvicorn_server("chat_app.main:app", folder, environment, welcomes=True, code=code)
