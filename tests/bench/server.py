"""A server under measurement: uvicorn in a process of its own, with its own folder, port and environment.

Both sides of a comparison run the same uvicorn with the same options: uvloop, httptools and websockets, which it picks
by itself when they are installed, and no access log, whose lines are no part of the work that is compared.
"""

import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

BENCH_FOLDER = Path(__file__).resolve().parent
OURS = "chat_app.main:app"
START_SECONDS = 30
STOP_SECONDS = 15
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV")
ADDRESS = re.compile(r"running on http://(127\.0\.0\.1:\d+)")


class Server:
    """One running server; a context manager that stops it.

    Args:
        application: what uvicorn imports.
        folder: its working folder, made if it is missing.
        environment: its settings.
    """

    def __init__(self, application: str, folder: Path, environment: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log_path = folder / "server.log"
        kept = {key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ}
        command = [sys.executable, "-m", "uvicorn", application, "--app-dir", str(BENCH_FOLDER)]
        command += ["--host", "127.0.0.1", "--port", "0", "--no-access-log"]
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
    def pid(self) -> int:
        """The main process."""
        return self._process.pid

    def socket_url(self, room_id: int, token: str) -> str:
        """Where a client opens a socket."""
        return f"ws://{self.address}/api/ws/{room_id}?token={token}"

    def get(self, path: str, token: str) -> bytes:
        """The body of one GET with a token."""
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            body: bytes = answer.read()
            return body

    def resident_bytes(self) -> int:
        """Resident memory of the process and its descendants."""
        main = psutil.Process(self.pid)
        family = [main, *main.children(recursive=True)]
        return sum(process.memory_info().rss for process in family)

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


def our_server(folder: Path, environment: dict[str, str]) -> Server:
    """The service, on an SQLite file of its own."""
    return Server(OURS, folder, environment)
