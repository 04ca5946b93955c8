"""Databases of others: both generations of the original with old data, and roles with few rights (section 10)."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from harness import tokens
from harness.chat import PASSWORD, PASSWORD_HASH, SECRET_KEY, Chat, User
from harness.database import Database
from harness.forms import png
from harness.pool import ServerPool
from harness.postgres import PostgresCluster, with_database

FIXTURES = Path(__file__).parent / "fixtures"
TABLES = ("users", "rooms", "user_rooms", "messages", "file_uploads")


def old_database(url: str, generation: str) -> Database:
    """A database as the original left it."""
    database = Database(url)
    for name in (f"generation_{generation}", "old_rows", f"generation_{generation}_files", "old_messages"):
        database.script((FIXTURES / f"{name}.sql").read_text().replace("{hash}", PASSWORD_HASH))
    return database


def old_user(user_id: int, username: str) -> User:
    """A user of the old rows."""
    return User(user_id, username, "", None, tokens.sign_for(username, SECRET_KEY))


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the original."""
    return {table: sorted(database.rows(f"select * from {table}"), key=repr) for table in TABLES}


def schema(database: Database) -> set[tuple[Any, ...]]:
    """Columns, constraints and unique indexes of the tables of the original."""
    columns = database.rows(
        "select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns "
        "where table_schema = 'public' and table_name in ('users','rooms','user_rooms','messages','file_uploads')"
    )
    constraints = database.rows(
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint "
        "where conrelid::regclass::text in ('users','rooms','user_rooms','messages','file_uploads') and contype <> 'n'"
    )
    indexes = database.rows("select tablename, indexname, indexdef from pg_indexes where indexname ~ '^ix_|_pkey$'")
    return {*columns, *constraints, *indexes}


@pytest.fixture(params=["a", "b"])
def old_chat(request: pytest.FixtureRequest, servers: ServerPool, cluster: PostgresCluster) -> Chat:
    """The service on an old database of each generation."""
    database = old_database(cluster.create_database(), request.param)
    chat = servers.prepare("postgres", database=database)
    before = dump(database), schema(database)
    chat.server.start()
    assert before[0] == dump(database), "the start changed old rows"
    assert before[1] <= schema(database), "the start changed the schema"
    return chat


def test_old_data_is_served(old_chat: Chat) -> None:
    chat = old_chat
    vieja, socia = old_user(1, "vieja"), old_user(2, "socia")
    assert chat.log_in("vieja", PASSWORD).status_code == 200
    assert chat.log_in("nula", PASSWORD).json() == {"detail": "Inactive user"}
    users = {user["id"]: user for user in chat.get("/api/users/", vieja).json()}
    assert list(users) == [1, 2, 3]
    assert users[1]["created_at"] == "2025-01-02T08:04:05Z", "another time zone is shown as UTC"
    assert users[3]["created_at"] == "2025-01-02T03:04:05.500000Z"
    assert (users[2]["created_at"], users[2]["email"]) == (None, "not an address")
    assert users[3]["is_active"] is False
    public = chat.get("/api/rooms/").json()
    assert [room["id"] for room in public] == [1], "no room with a NULL flag, none without an owner"
    assert sorted(member["id"] for member in public[0]["members"]) == [1, 2, 3]
    mine = {room["id"]: room for room in chat.get("/api/users/me/rooms", socia).json()}
    assert list(mine) == [1, 2, 3]
    assert (mine[2]["is_private"], mine[2]["created_at"]) == (False, None)
    assert mine[3]["owner"] is None
    history = {message["id"]: message for message in chat.get("/api/rooms/1/messages", vieja).json()}
    assert sorted(history) == [1, 2, 3]
    assert history[3]["created_at"] is None
    file = history[2]["file"]
    assert (file["original_filename"], file["stored_filename"]) == ("mi foto.png", "8b0c.png")
    assert file["public_url"] == "https://storage.example.com/2025/01/02/8b0c.png"
    assert (file["uploader_id"], file["uploader"]["id"], file["file_size"]) == (2, 2, 10)
    assert chat.get("/api/uploads/1", vieja).json() == file
    assert chat.get("/api/uploads/", socia).json()["files"] == [file]
    assert chat.get("/api/rooms/4", socia).status_code == 403


def test_old_data_can_be_worked_with(old_chat: Chat) -> None:
    chat = old_chat
    vieja, socia = old_user(1, "vieja"), old_user(2, "socia")
    new = chat.register()
    assert new.id > 3
    first, second = chat.connect_all(1, vieja, socia)
    first.say("nuevo", file_id=1)
    frame = second.expect("message")
    assert frame["file"] == {
        "id": 1,
        "original_filename": "mi foto.png",
        "public_url": "https://storage.example.com/2025/01/02/8b0c.png",
        "content_type": "image/png",
        "file_size": 10,
    }
    assert frame["id"] in [message["id"] for message in chat.history(1, socia)]
    assert chat.post("/api/rooms/1/leave", socia).status_code == 200
    assert chat.database.value("select count(*) from user_rooms where user_id = 2 and room_id = 1") == 0
    assert chat.post("/api/rooms/1/join", socia).status_code == 200
    assert chat.put("/api/users/me", socia, json={"full_name": "Socia"}).status_code == 200
    assert chat.put("/api/rooms/2", vieja, json={"name": "otra"}).json()["is_private"] is False
    assert chat.connect(3, vieja)


def test_files_can_be_stored_and_deleted(old_chat: Chat) -> None:
    chat = old_chat
    vieja = old_user(1, "vieja")
    picture = png(20, 20)
    file = chat.post("/api/uploads/", vieja, files={"file": ("foto.png", picture, "image/png")}).json()
    assert (file["original_filename"], file["uploader_id"]) == ("foto.png", 1)
    assert list(file)[-1] == "thumbnail_url"
    chat.say(1, vieja, "", file_id=file["id"])
    path = f"/api/uploads/{file['id']}"
    assert chat.get(path, vieja).json() == file
    assert chat.get(f"{path}/download", vieja).content == picture
    assert chat.call("DELETE", path, vieja).status_code == 200
    assert chat.call("DELETE", "/api/uploads/1", vieja).status_code == 403
    assert chat.get("/api/uploads/1", vieja).status_code == 200
    assert chat.get("/api/rooms/1/messages", vieja).json()[0]["file"] is None


def test_a_fresh_database_has_the_schema_of_the_original(servers: ServerPool, cluster: PostgresCluster) -> None:
    original = Database(cluster.create_database())
    original.script((FIXTURES / "generation_a.sql").read_text())
    chat = servers.prepare("postgres", database=Database(cluster.create_database()))
    chat.server.start()
    wanted, found = schema(original), schema(chat.database)
    assert wanted <= found
    added = [row for row in found - wanted if row[0] in TABLES]
    assert sorted(row[0] for row in added) == ["file_uploads", "messages", "messages", "user_rooms", "user_rooms"]
    assert all(row[2].startswith("CREATE INDEX") for row in added), "only plain indexes are added"


def limited_role(cluster: PostgresCluster, database: Database, name: str) -> Database:
    """Access for a role that may read and write rows and create nothing."""
    database.script(
        f"drop role if exists {name}; create role {name} login; revoke create on schema public from public;"
        f"grant select, insert, update, delete on all tables in schema public to {name};"
        f"grant usage on all sequences in schema public to {name};"
    )
    return Database(with_database(cluster.url.replace("postgres@", f"{name}@"), database.url.rsplit("/", 1)[1]))


@pytest.mark.parametrize("generation", ["a", "b"])
def test_a_role_that_may_create_nothing(servers: ServerPool, cluster: PostgresCluster, generation: str) -> None:
    database = old_database(cluster.create_database(), generation)
    limited = limited_role(cluster, database, "limited")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        limited.rows("create table x (id integer)")
    chat = servers.prepare("postgres", database=limited)
    chat.server.start()
    assert "WARNING" in chat.server.log
    vieja, socia = old_user(1, "vieja"), old_user(2, "socia")
    sockets = chat.connect_all(1, vieja, socia)
    sockets[0].say("hola")
    assert [socket.expect("message")["content"] for socket in sockets] == ["hola", "hola"]
    chat.close_sockets()
    file = chat.post("/api/uploads/", vieja, files={"file": ("foto.png", png(20, 20), "image/png")}).json()
    assert "thumbnail_url" not in file, "there is no place to note it"
    assert chat.get(f"/api/uploads/{file['id']}/download", vieja).content == png(20, 20)
    assert chat.call("DELETE", f"/api/uploads/{file['id']}", vieja).status_code == 200
    chat.server.stop()
    database.script("drop owned by limited; drop role limited;")


def test_a_missing_schema_and_no_right_to_create_it(servers: ServerPool, cluster: PostgresCluster) -> None:
    database = Database(cluster.create_database())
    chat = servers.prepare("postgres", database=limited_role(cluster, database, "powerless"))
    chat.server.spawn()
    assert chat.server.wait_end() != 0
    assert "users" in chat.server.log, "the message names what is missing"
    database.script("drop owned by powerless; drop role powerless;")
