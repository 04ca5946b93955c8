"""The commands that section 8 of the contract keeps: ``init_db.py`` and ``run_dev.py``."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness.chat import SECRET_KEY
from harness.database import Database
from harness.pool import ServerPool, check_log
from harness.postgres import PASSWORD_ROLE, PostgresAccess, PostgresCluster
from harness.processes import free_port, run_command

TABLES = ("users", "rooms", "user_rooms", "messages", "file_uploads")


def init_db(repository: Path, folder: Path, url: str | None) -> tuple[int, str]:
    """Run ``init_db.py``; gives exit code and output."""
    settings = {} if url is None else {"DATABASE_URL": url, "SECRET_KEY": SECRET_KEY}
    done = run_command([sys.executable, str(repository / "init_db.py")], folder, settings)
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


def test_init_db_always_ends_cleanly(repository: Path, tmp_path: Path) -> None:
    """Guards a race: threads of the core that met an interpreter going down crashed one end in twenty."""

    def run(number: int) -> tuple[int, str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        return init_db(repository, folder, None)

    with ThreadPoolExecutor(6) as executor:
        codes = [code for code, _ in executor.map(run, range(30))]
    assert codes == [0] * 30


def test_init_db_without_configuration_makes_the_default_file(repository: Path, tmp_path: Path) -> None:
    assert init_db(repository, tmp_path, None)[0] == 0
    assert Database(f"sqlite:///{tmp_path / 'data' / 'izpochat.db'}").rows("select * from rooms") == []


def test_init_db_while_the_service_runs(repository: Path, servers: ServerPool, tmp_path: Path) -> None:
    chat = servers.prepare("sqlite")
    chat.server.start()
    assert init_db(repository, tmp_path, chat.database.url)[0] == 0
    assert chat.get("/api/users/me", chat.user()).status_code == 200


def test_init_db_gives_a_hint_if_the_host_cannot_be_reached(repository: Path, tmp_path: Path) -> None:
    code, output = init_db(repository, tmp_path, f"postgresql://user:top-secret@127.0.0.1:{free_port()}/db")
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


def test_serve_says_where_things_are(servers: ServerPool) -> None:
    port = free_port()
    command = [sys.executable, "-m", "chat_app.serve"]
    chat = servers.prepare("sqlite", command=command, settings={"PORT": str(port)}, address=("127.0.0.1", port))
    chat.server.start()
    assert f"http://localhost:{port}/docs" in chat.server.log
    assert str(chat.database.path) in chat.server.log
    ana = chat.user()
    chat.connect(chat.room(ana), ana).expect_quiet()
    # The socket was handed over: uvicorn knows of none.
    assert "[accepted]" not in chat.server.log
    chat.close_sockets()
    chat.server.stop()


def test_serve_does_not_show_the_password_of_a_database(servers: ServerPool) -> None:
    settings = {"PORT": str(free_port()), "DATABASE_URL": "postgresql://user:top-secret@127.0.0.1:1/db"}
    chat = servers.prepare("sqlite", command=[sys.executable, "-m", "chat_app.serve"], settings=settings)
    chat.server.spawn()
    assert chat.server.wait_end() != 0
    assert "PostgreSQL" in chat.server.log
    assert "top-secret" not in chat.server.log


def test_run_dev_serves_with_reload(repository: Path, servers: ServerPool) -> None:
    port = free_port()
    command = [sys.executable, str(repository / "run_dev.py")]
    chat = servers.prepare("sqlite", command=command, settings={"PORT": str(port)}, address=("127.0.0.1", port))
    chat.server.start()
    assert "reloader" in chat.server.log
    ana = chat.user()
    chat.connect(chat.room(ana), ana).expect_quiet()
    chat.close_sockets()
    chat.server.stop()
