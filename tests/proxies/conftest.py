"""A running service for these tests, and proxies in front of it."""

from collections.abc import Iterator

import pytest
from harness.certificates import Certificate
from harness.chat import Chat
from harness.pool import ServerPool, lend
from harness.proxies import Proxies
from harness.siblings import SETTINGS


@pytest.fixture
def behind(shared_servers: ServerPool) -> Iterator[Chat]:
    yield from lend(shared_servers, "sqlite", purpose="proxies", settings=SETTINGS)


@pytest.fixture
def proxies(servers: ServerPool, certificate: Certificate) -> Proxies:
    return Proxies(servers, certificate)
