"""Configuration and the first start: section 9 of the contract, D22 and S17."""

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from harness.chat import SECRET_KEY, Chat
from harness.database import Database
from harness.pool import ServerPool, check_log
from harness.postgres import PostgresAccess


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def refused(chat: Chat) -> str:
    """Start a server that must refuse to; gives its log."""
    chat.server.spawn()
    assert chat.server.wait_end() != 0
    check_log(chat.server.log)
    return chat.server.log


def without_settings(servers: ServerPool) -> Chat:
    """A server with no configuration at all."""
    chat = servers.prepare("sqlite")
    chat.server.unset("DATABASE_URL", "SECRET_KEY", "ALLOWED_ORIGINS")
    chat.database = Database(f"sqlite:///{chat.server.folder / 'data' / 'izpochat.db'}")
    return chat


def test_no_configuration_at_all(servers: ServerPool) -> None:
    chat = without_settings(servers)
    chat.server.start()
    data = chat.server.folder / "data"
    assert mode(data / "izpochat.db") == 0o600
    for beside in ("izpochat.db-wal", "izpochat.db-shm"):
        assert not (data / beside).exists() or mode(data / beside) == 0o600
    assert mode(data / "secret_key") == 0o600
    assert len((data / "secret_key").read_text().strip()) >= 32
    with closing(sqlite3.connect(chat.database.path)) as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    assert "SECRET_KEY" in chat.server.log
    assert "WARNING" in chat.server.log
    ana = chat.register()
    room = chat.room(ana)
    chat.say(room, ana, "antes")
    chat.server.stop()
    chat.server.start()
    assert chat.get("/api/users/me", ana).status_code == 200, "the kept key signs and verifies after a restart too"
    assert [message["content"] for message in chat.history(room, ana)] == ["antes"]


def test_postgres_needs_a_secret_key(servers: ServerPool) -> None:
    chat = servers.prepare("postgres")
    chat.server.unset("SECRET_KEY")
    log = refused(chat)
    assert "SECRET_KEY" in log
    assert not (chat.server.folder / "data" / "secret_key").exists()


@pytest.mark.parametrize(
    "key",
    [
        "short",
        "your-secret-key-here",
        "your-super-secret-key-change-this-in-production",
        "tu_secret_key_muy_seguro_cambia_esto_por_algo_unico",
        "clave_super_segura_para_produccion",
    ],
)
def test_weak_keys_are_a_loud_warning(servers: ServerPool, key: str) -> None:
    chat = servers.prepare("sqlite", settings={"SECRET_KEY": key})
    chat.server.start()
    assert re.search(r"WARN\w*.*SECRET_KEY", chat.server.log)
    assert key not in chat.server.log


def test_a_good_key_is_no_warning(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite")
    chat.server.start()
    assert "SECRET_KEY" not in chat.server.log


def test_all_bad_settings_are_reported_at_once_without_secrets(servers: ServerPool) -> None:
    chat = servers.prepare(
        "sqlite",
        settings={
            "DATABASE_URL": "mysql://root:very-secret-word@db.example.com/chat",
            "ALGORITHM": "RS256",
            "ACCESS_TOKEN_EXPIRE_MINUTES": "soon",
            "DEBUG": "maybe",
            "ALLOWED_ORIGINS": '["http://a"',
        },
    )
    log = refused(chat)
    for key in ("DATABASE_URL", "ALGORITHM", "ACCESS_TOKEN_EXPIRE_MINUTES", "DEBUG", "ALLOWED_ORIGINS"):
        assert key in log
    for found in ("RS256", "soon", "maybe"):
        assert found in log, "a message shows what was found"
    assert "very-secret-word" not in log


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:very-secret-word@127.0.0.1:1/db",
        "postgresql://user:very-secret-word@127.0.0.1:notaport/db",
        "postgresql://user:very-secret-word@127.0.0.1:5432/db?sslmode=perhaps",
        "sqlite:////proc/nowhere/chat.db",
        "postgresql://",
        "sqlite://",
    ],
)
def test_databases_that_cannot_be_opened(servers: ServerPool, url: str) -> None:
    log = refused(servers.prepare("sqlite", settings={"DATABASE_URL": url}))
    assert "very-secret-word" not in log
    assert re.search("database", log, re.IGNORECASE)


def test_the_env_file(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite")
    chat.server.unset("SECRET_KEY", "DATABASE_URL", "ALLOWED_ORIGINS")
    lines = [
        "# a comment",
        "",
        "export APP_NAME='Una API'   # trailing comment",
        f'secret_key="{SECRET_KEY}"',
        "FOLDER=kept",
        "database_url=sqlite:///${FOLDER}/chat.db",
        "UNKNOWN_KEY=1",
        "GCS_BUCKET_NAME=",
        "SUPABASE_URL=https://x.supabase.co",
        "SMTP_PORT=587",
        "CORS_ALLOW_CREDENTIALS=true",
        "ALLOWED_ORIGINS=http://one.example, http://two.example",
        "access_token_expire_minutes=5",
        "GOOGLE_APPLICATION_CREDENTIALS=/nowhere/key.json",
    ]
    (chat.server.folder / ".env").write_text("\n".join(lines) + "\n")
    chat.database = Database(f"sqlite:///{chat.server.folder / 'kept' / 'chat.db'}")
    chat.server.start()
    assert chat.get("/openapi.json").json()["info"]["title"] == "Una API"
    assert chat.get("/api/users/me", chat.user()).status_code == 200
    answer = chat.get("/health", headers={"Origin": "http://two.example"})
    assert answer.headers["access-control-allow-origin"] == "http://two.example"


def test_the_environment_wins_over_the_env_file(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"App_Name": "From the environment"})
    (chat.server.folder / ".env").write_text("APP_NAME=From the file\nSECRET_KEY=from-the-file\n")
    chat.server.start()
    assert chat.get("/openapi.json").json()["info"]["title"] == "From the environment"
    assert chat.get("/api/users/me", chat.user()).status_code == 200


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+psycopg2"])
def test_other_forms_of_a_postgres_address(servers: ServerPool, postgres: PostgresAccess, scheme: str) -> None:
    database = Database(postgres.create_database())
    url = database.url.replace("postgresql://", f"{scheme}://")
    chat = servers.prepare("postgres", database=database, settings={"DATABASE_URL": url})
    chat.server.start()
    assert chat.get("/api/users/me", chat.user()).status_code == 200


def test_credentials_of_a_cloud_are_not_needed(servers: ServerPool) -> None:
    settings = {"GCS_BUCKET_NAME": "bucket", "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json"}
    chat = servers.prepare("sqlite", settings=settings)
    chat.server.start()
    assert chat.get("/health").status_code == 200
    assert "GOOGLE_APPLICATION_CREDENTIALS" in chat.server.log


def test_secrets_in_files(servers: ServerPool, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET_KEY + "\n")
    chat = servers.prepare("postgres")
    (tmp_path / "url").write_text(chat.database.url + "\r\n")
    chat.server.unset("SECRET_KEY", "DATABASE_URL")
    chat.server.set(SECRET_KEY_FILE=str(tmp_path / "key"), DATABASE_URL_FILE=str(tmp_path / "url"))
    chat.server.start()
    assert chat.get("/api/users/me", chat.user()).status_code == 200
    chat.server.stop()
    chat.server.set(SECRET_KEY=SECRET_KEY, DATABASE_URL_FILE=str(tmp_path / "none"))
    log = refused(chat)
    assert "SECRET_KEY_FILE: SECRET_KEY is set too" in log
    assert "DATABASE_URL_FILE" in log
    assert SECRET_KEY not in log


def test_line_ends_of_windows(servers: ServerPool) -> None:
    settings = {
        "SECRET_KEY": SECRET_KEY + "\r",
        "UPLOAD_PATH": "files\r",
        "DEBUG": "false\r",
        "COMPAT_SYSTEMS": "calls\r",
    }
    chat = servers.prepare("sqlite", settings=settings)
    chat.server.start()
    assert chat.get("/api/users/me", chat.user()).status_code == 200
    assert (chat.server.folder / "files").is_dir()
    assert chat.get("/compat/calls/users", chat.user()).status_code == 200
