"""Each test runs on a folder beside SQLite, on a bucket beside PostgreSQL, and without the fast paths."""

from collections.abc import Iterator

import pytest
from harness.chat import Chat
from harness.pool import ServerPool, lend
from harness.stores import Store

# Database and transport beside each store.
SERVERS = {"folder": ("sqlite", "handoff"), "bucket": ("postgres", "handoff"), "wrapped": ("sqlite", "wrapped")}


@pytest.fixture(params=sorted(SERVERS))
def store_name(request: pytest.FixtureRequest) -> str:
    """Which store the test uses."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def store(store_name: str, stores: dict[str, Store]) -> Store:
    """The store of the test; ``chat`` uses it."""
    return stores[store_name]


@pytest.fixture
def chat(shared_servers: ServerPool, store_name: str, store: Store) -> Iterator[Chat]:
    """A running service on the store."""
    database, transport = SERVERS[store_name]
    yield from lend(shared_servers, database, transport, purpose="uploads", settings=store.settings)
