"""Fixtures of the whole suite. What they are made of is in ``harness/``.

The suite talks to real server processes. Those with the default settings are shared by all tests, which therefore use
names and rooms of their own; a test that needs other settings starts its own server through ``servers``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.certificates import Certificate, make_certificate
from harness.chat import Chat
from harness.gcs_emulator import GcsEmulator, given_address
from harness.pool import ServerPool, lend
from harness.postgres import PostgresAccess, PostgresCluster, given_url
from harness.stores import BucketStore, FolderStore, Store


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed certificate for 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    """A PostgreSQL server of our own, for tests that need roles or passwords."""
    cluster = PostgresCluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> PostgresAccess:
    """The PostgreSQL server of the run: the one the environment names, else the one of our own."""
    url = given_url()
    access = request.getfixturevalue("cluster") if url is None else PostgresAccess(url)
    assert isinstance(access, PostgresAccess)
    return access


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
    """One store of each kind, and a second folder for the server without fast paths."""
    folder, wrapped = (FolderStore(tmp_path_factory.mktemp("objects")) for _ in range(2))
    return {"folder": folder, "bucket": BucketStore(emulator), "wrapped": wrapped}


@pytest.fixture(scope="session")
def shared_servers(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresAccess, certificate: Certificate
) -> Iterator[ServerPool]:
    """The servers of the run, each started when the first test asks for it."""
    pool = ServerPool(tmp_path_factory.mktemp("servers"), postgres, certificate)
    yield pool
    pool.close()


@pytest.fixture
def servers(shared_servers: ServerPool) -> Iterator[ServerPool]:
    """Servers with settings of their own; they end with the test."""
    yield shared_servers
    shared_servers.close_own()


@pytest.fixture(params=["sqlite", "postgres"])
def chat(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Chat]:
    """A running service, once on each database."""
    yield from lend(shared_servers, request.param)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the project."""
    return Path(__file__).resolve().parent.parent
