"""The socket suite runs through both transports; see ``harness/pool.py`` for what they are."""

from collections.abc import Iterator

import pytest
from harness.chat import Chat
from harness.pool import ServerPool, lend


@pytest.fixture(params=["handoff-sqlite", "handoff-postgres", "asgi-sqlite"])
def chat(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Chat]:
    """A running service for each transport and database."""
    transport, kind = request.param.split("-")
    yield from lend(shared_servers, kind, transport)


@pytest.fixture(params=["handoff", "asgi"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each transport, for tests that start their own server."""
    assert isinstance(request.param, str)
    return request.param
