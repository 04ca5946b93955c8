"""Several processes that serve one database together."""

from collections.abc import Iterator

import pytest
from harness.chat import Chat, User
from harness.cluster import start_processes
from harness.pool import ServerPool
from harness.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """Where processes meet; those of different databases do not notice each other."""
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def processes(request: pytest.FixtureRequest, servers: ServerPool, redis: RedisServer) -> list[Chat]:
    """Two processes, on each database."""
    return start_processes(servers, request.param, redis.url)


@pytest.fixture
def people(processes: list[Chat]) -> list[User]:
    """An account for each process."""
    return processes[0].users("ana", "beto")
