"""Each test runs on a folder beside SQLite and on a bucket beside PostgreSQL."""

from collections.abc import Iterator

import pytest
from harness.chat import Chat
from harness.gcs_emulator import GcsEmulator, given_address
from harness.pool import ServerPool, lend
from harness.stores import BucketStore, FolderStore, Store

DATABASES = {"folder": "sqlite", "bucket": "postgres"}


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of an emulator of Google Cloud Storage."""
    given = given_address()
    if given is not None:
        yield given
        return
    own = GcsEmulator()
    yield own.address
    own.close()


@pytest.fixture(scope="session")
def stores(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """One store of each kind."""
    return {"folder": FolderStore(tmp_path_factory.mktemp("objects")), "bucket": BucketStore(emulator)}


@pytest.fixture(params=sorted(DATABASES))
def store(request: pytest.FixtureRequest, stores: dict[str, Store]) -> Store:
    """The store of the test; ``chat`` uses it."""
    kind = request.param
    assert isinstance(kind, str)
    return stores[kind]


@pytest.fixture
def chat(shared_servers: ServerPool, store: Store) -> Iterator[Chat]:
    """A running service on the store."""
    kind = "folder" if isinstance(store, FolderStore) else "bucket"
    yield from lend(shared_servers, DATABASES[kind], purpose="uploads", settings=store.settings)
