"""Each test runs on a folder beside SQLite and on a bucket beside PostgreSQL."""

from collections.abc import Iterator

import pytest
from harness.chat import Chat
from harness.pool import ServerPool, lend
from harness.stores import FolderStore, Store

DATABASES = {"folder": "sqlite", "bucket": "postgres"}


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
