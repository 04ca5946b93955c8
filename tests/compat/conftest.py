"""A running service with every sibling system, once on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.chat import Chat
from harness.node import Node
from harness.pool import ServerPool, lend
from harness.siblings import SETTINGS, Sibling


@pytest.fixture(params=["sqlite", "postgres"])
def chat(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Chat]:
    yield from lend(shared_servers, request.param, purpose="siblings", settings=SETTINGS)


@pytest.fixture
def hub(chat: Chat) -> Sibling:
    return Sibling(chat, "ws-hub")


@pytest.fixture
def webrtc(chat: Chat) -> Sibling:
    return Sibling(chat, "webrtc")


@pytest.fixture
def meetings(chat: Chat) -> Sibling:
    return Sibling(chat, "meetings")


@pytest.fixture
def calls(chat: Chat) -> Sibling:
    return Sibling(chat, "calls")


@pytest.fixture
def node(repository: Path) -> Node:
    """Clients in JavaScript."""
    return Node(repository / "target" / "clients", repository / "tests" / "compat" / "clients")
