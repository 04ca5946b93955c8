"""Where the objects of a server under test lie: a folder, or a bucket of its own in the emulator."""

import urllib.parse
import uuid
from pathlib import Path
from typing import Protocol

import httpx

SUFFIX_OF_UNFINISHED = ".part"


class Store(Protocol):
    """What a test asks of a store."""

    @property
    def settings(self) -> dict[str, str]:
        """What makes a server use it."""

    def names(self) -> list[str]:
        """The keys of all objects, unfinished ones too as far as they can be seen."""

    def read(self, name: str) -> bytes:
        """The content of an object."""


class FolderStore:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def settings(self) -> dict[str, str]:
        """What makes a server use it."""
        return {"UPLOAD_PATH": str(self.folder)}

    def names(self) -> list[str]:
        """All files below the folder."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in files)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return (self.folder / name).read_bytes()


class BucketStore:
    """A new bucket in the emulator at this address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.bucket = f"izpochat-{uuid.uuid4().hex[:12]}"
        self._http = httpx.Client(base_url=address, trust_env=False, timeout=30)
        answer = self._http.post("/storage/v1/b", json={"name": self.bucket})
        assert answer.status_code == 200, answer.text

    @property
    def settings(self) -> dict[str, str]:
        """What makes a server use it."""
        return {"GCS_BUCKET_NAME": self.bucket, "STORAGE_EMULATOR_HOST": self.address}

    def names(self) -> list[str]:
        """All objects of the bucket."""
        answer = self._http.get(f"/storage/v1/b/{self.bucket}/o")
        return sorted(item["name"] for item in answer.json().get("items", []))

    def read(self, name: str) -> bytes:
        """The content of an object."""
        quoted = urllib.parse.quote(name, safe="")
        answer = self._http.get(f"/storage/v1/b/{self.bucket}/o/{quoted}", params={"alt": "media"})
        assert answer.status_code == 200, answer.text
        return answer.content
