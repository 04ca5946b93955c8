"""One server process: start, readiness, log, stop.

The process gets an environment of its own (nothing of ours leaks in but the paths), a working folder of its own, and
a port that the operating system picks. Its output goes to a file, which the tests read.
"""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import psutil

from harness.waiting import wait_until

APPLICATION = "chat_app.main:app"
SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
START_SECONDS = 40.0
STOP_SECONDS = 15.0
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
ADDRESS = re.compile(r"(?:running on|Listening at:?|Running on) (https?)://127\.0\.0\.1:(\d+)")


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process under test: the paths of ours plus ``extra``."""
    kept = {key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


def free_port() -> int:
    """A port that was free a moment ago, for servers that cannot pick one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def uvicorn_command(*arguments: str, python: str = sys.executable, application: str = APPLICATION) -> list[str]:
    """The documented way to run the service, or an application of the folder of scripts, on a free port."""
    where = ["--app-dir", str(SCRIPTS)] if application != APPLICATION else []
    return [python, "-m", "uvicorn", application, *where, "--host", "127.0.0.1", "--port", "0", *arguments]


def run_command(
    command: Sequence[str], folder: Path, settings: Mapping[str, str], seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a folder, with these settings in the environment."""
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class ServerProcess:
    """A server under test.

    Args:
        folder: the working folder, where data, ``.env`` and the log file live.
        environment: settings of the service.
        command: what to run.
        context: the TLS context to talk to it with, if it speaks TLS.
        address: host and port if the log does not tell them.
        prefix: the path below which the service is mounted.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        command: Sequence[str],
        context: ssl.SSLContext | None = None,
        address: tuple[str, int] | None = None,
        *,
        prefix: str = "",
    ) -> None:
        self.folder = folder
        self.prefix = prefix
        self.context = context
        self._environment = clean_environment(environment)
        self._command = list(command)
        self._fixed_address = address
        self._log_path = folder / "server.log"
        self._http: httpx.Client | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def replace_http(self, client: httpx.Client) -> None:
        """Talk HTTP through another client, for servers without a TCP port."""
        self._http = client

    def set(self, **settings: str) -> None:
        """Start with these settings too."""
        self._environment.update(settings)

    def unset(self, *keys: str) -> None:
        """Start without these settings."""
        for key in keys:
            self._environment.pop(key, None)

    # Life ---------------------------------------------------------------------------------------------------------

    def spawn(self, pass_fds: Sequence[int] = ()) -> None:
        """Start the process without waiting for anything; the log starts anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
            )

    def start(self) -> None:
        """Start the process and wait until it answers requests."""
        self.spawn()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until ``/health`` answers."""
        wait_until(self._answers, f"the server to be ready\n{self.log}", START_SECONDS)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log}")
        if self.address is None:
            return False
        try:
            return self.http.get("/health").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def wait_end(self, seconds: float = START_SECONDS) -> int:
        """Wait until the process ends by itself and give its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end within {seconds} s:\n{self.log}") from None

    def signal(self, number: int) -> None:
        """Send a signal to the main process."""
        self.process.send_signal(number)

    def stop(self) -> float:
        """End the process with SIGTERM, check that it ended well, give the seconds it took."""
        # An idle connection with TLS would keep the server waiting for a goodbye that our client sends only when asked.
        self.close_http()
        started = time.monotonic()
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            code = self.wait_end(STOP_SECONDS)
            # uvicorn raises the signal again once it has shut down.
            assert code in {0, -signal.SIGTERM}, f"the server ended with {code}:\n{self.log}"
        return time.monotonic() - started

    def kill(self) -> None:
        """End the process and its children without any chance to clean up."""
        if self._process is not None and self._process.poll() is None:
            for child in psutil.Process(self._process.pid).children(recursive=True):
                child.kill()
            self._process.kill()
            self._process.wait()
        self.close_http()

    def close_http(self) -> None:
        """Drop the idle connections of our client."""
        if self._http is not None:
            self._http.close()
            self._http = None

    # Looking at it ------------------------------------------------------------------------------------------------

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process, once spawned."""
        assert self._process is not None, "not started"
        return self._process

    @property
    def log(self) -> str:
        """Everything the process has written so far."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port, once known."""
        if self._fixed_address is not None:
            return self._fixed_address
        found = ADDRESS.search(self.log)
        return None if found is None else ("127.0.0.1", int(found[2]))

    @property
    def base_url(self) -> str:
        """The address with its scheme."""
        assert self.address is not None, f"not listening:\n{self.log}"
        scheme = "http" if self.context is None else "https"
        return f"{scheme}://{self.address[0]}:{self.address[1]}{self.prefix}"

    @property
    def http(self) -> httpx.Client:
        """A client that keeps its connections and follows no redirect."""
        if self._http is None:
            verify = True if self.context is None else self.context
            self._http = httpx.Client(base_url=self.base_url, verify=verify, timeout=30, trust_env=False)
        return self._http
