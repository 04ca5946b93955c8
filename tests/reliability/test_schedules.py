"""Random schedules: whatever happens, nothing acknowledged is lost, nothing doubled, and all see one order.

``long_run.py`` runs thousands.
"""

import asyncio
from collections.abc import Iterator
from contextlib import closing

import pytest
from harness.pool import ServerPool
from harness.postgres import PostgresCluster
from harness.redis_server import RedisServer
from reliability.schedule import Service, run_batch

BATCHES = range(5)
SCHEDULES = 5


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[PostgresCluster]:
    """A PostgreSQL that may be restarted."""
    cluster = PostgresCluster()
    yield cluster
    cluster.close()


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_random_schedules(request: pytest.FixtureRequest, servers: ServerPool, kind: str, batch: int) -> None:
    cluster: PostgresCluster | None = None if kind == "sqlite" else request.getfixturevalue("own_cluster")
    service = Service.start(servers, cluster)
    verdicts = asyncio.run(run_batch(service, batch, SCHEDULES))
    wrong = [f"{verdict.seed}: {line}" for verdict in verdicts for line in verdict.violations]
    assert not wrong, "\n".join(wrong[:50])
    assert all(verdict.messages and verdict.resumes for verdict in verdicts), verdicts


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_random_schedules_of_two_processes(
    request: pytest.FixtureRequest, servers: ServerPool, kind: str, batch: int
) -> None:
    cluster: PostgresCluster | None = None if kind == "sqlite" else request.getfixturevalue("own_cluster")
    with closing(RedisServer()) as redis:
        service = Service.start(servers, cluster, redis)
        verdicts = asyncio.run(run_batch(service, 100 + batch, SCHEDULES))
    wrong = [f"{verdict.seed}: {line}" for verdict in verdicts for line in verdict.violations]
    assert not wrong, "\n".join(wrong[:50])
    assert all(verdict.messages and verdict.resumes for verdict in verdicts), verdicts
