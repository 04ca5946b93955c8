"""The order of messages through both transports and on both databases."""

from collections.abc import Iterator

import pytest
from harness.chat import Chat
from harness.pool import ServerPool, lend


@pytest.fixture(params=["handoff-sqlite", "handoff-postgres", "asgi-sqlite"])
def chat(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Chat]:
    """A running service for each transport and database."""
    transport, kind = request.param.split("-")
    yield from lend(shared_servers, kind, transport)
