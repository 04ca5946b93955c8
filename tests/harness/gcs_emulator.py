"""An emulator of Google Cloud Storage for the tests, from the package gcp-storage-emulator.

It speaks the JSON API without credentials, keeps everything in memory, and has one bucket from the start. What it does
not know: cancelling an upload session, access rights, and pages of a list.
"""

import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from harness.processes import free_port
from harness.waiting import wait_until

GIVEN_ADDRESS_KEY = "IZPOCHAT_TEST_GCS_EMULATOR"
BUCKET = "izpochat-test"
START_SECONDS = 20.0


def given_address() -> str | None:
    """The address of an emulator to use instead of one of ours, if the environment names one."""
    return os.environ.get(GIVEN_ADDRESS_KEY) or None


class GcsEmulator:
    """An emulator process of our own, stopped and removed by ``close``."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="izpochat-gcs-")
        self._log = (Path(self._folder.name) / "emulator.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gcp_storage_emulator", *self._arguments()],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(self._answers, "the storage emulator to be ready", START_SECONDS)
        except BaseException:
            self.close()
            raise

    def _arguments(self) -> list[str]:
        # The folder has to be absolute, though nothing is written to it.
        server = ["start", "--host", "127.0.0.1", "--port", str(self.port), "--in-memory", "--quiet"]
        return ["--data-dir", self._folder.name, *server, "--default-bucket", BUCKET]

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the storage emulator ended with {self._process.returncode}")
        try:
            with urllib.request.urlopen(self.address, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, TimeoutError):
            return False

    def close(self) -> None:
        """Stop the process and forget what it holds."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        self._folder.cleanup()
