"""The commands that section 8 of the contract keeps: ``init_db.py`` and ``run_dev.py``."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from harness.chat import SECRET_KEY
from harness.database import Database
from harness.pool import ServerPool, check_log
from harness.postgres import PASSWORD_ROLE, PostgresAccess, PostgresCluster
from harness.processes import clean_environment

TABLES = ("users", "rooms", "user_rooms", "messages", "file_uploads")


def init_db(repository: Path, folder: Path, url: str | None) -> tuple[int, str]:
    """Run ``init_db.py``; gives exit code and output."""
    settings = {} if url is None else {"DATABASE_URL": url, "SECRET_KEY": SECRET_KEY}
    done = subprocess.run(
        [sys.executable, str(repository / "init_db.py")],
        cwd=folder,
        env=clean_environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = done.stdout + done.stderr
    check_log(output)
    return done.returncode, output


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_init_db_creates_what_is_missing_and_nothing_else(
    repository: Path, servers: ServerPool, tmp_path: Path, kind: str
) -> None:
    database = servers.new_database(kind, tmp_path)
    code, output = init_db(repository, tmp_path, database.url)
    assert code == 0, output
    for table in TABLES:
        assert table in output
        assert database.rows(f"select * from {table}") == []
    database.rows("insert into users (username, email, hashed_password) values ('a', 'b', 'c')")
    code, again = init_db(repository, tmp_path, database.url)
    assert code == 0
    assert "file_uploads" not in again
    assert database.value("select count(*) from users") == 1


def test_init_db_without_configuration_makes_the_default_file(repository: Path, tmp_path: Path) -> None:
    assert init_db(repository, tmp_path, None)[0] == 0
    assert Database(f"sqlite:///{tmp_path / 'data' / 'izpochat.db'}").rows("select * from rooms") == []


def test_init_db_while_the_service_runs(repository: Path, servers: ServerPool, tmp_path: Path) -> None:
    chat = servers.prepare("sqlite")
    chat.server.start()
    assert init_db(repository, tmp_path, chat.database.url)[0] == 0
    assert chat.get("/api/users/me", chat.user()).status_code == 200


def test_init_db_gives_a_hint_if_the_host_cannot_be_reached(repository: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    code, output = init_db(repository, tmp_path, f"postgresql://user:top-secret@127.0.0.1:{port}/db")
    assert code == 1
    assert "DATABASE_URL" in output
    assert "host" in output.lower()
    assert "top-secret" not in output


def test_init_db_gives_a_hint_if_the_password_is_wrong(
    repository: Path, cluster: PostgresCluster, tmp_path: Path
) -> None:
    PostgresAccess(cluster.url).execute(f"create role {PASSWORD_ROLE} login password 'right'")
    address = f"127.0.0.1:{cluster.port}/postgres"
    code, output = init_db(repository, tmp_path, f"postgresql://{PASSWORD_ROLE}:top-secret@{address}")
    assert code == 1
    assert "password" in output.lower()
    assert "top-secret" not in output


def test_run_dev_serves_with_reload(repository: Path, servers: ServerPool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = [sys.executable, str(repository / "run_dev.py")]
    chat = servers.prepare("sqlite", command=command, settings={"PORT": str(port)}, address=("127.0.0.1", port))
    chat.server.start()
    assert "reloader" in chat.server.log
    ana = chat.user()
    chat.connect(chat.room(ana), ana).expect_quiet()
    chat.close_sockets()
    chat.server.stop()
