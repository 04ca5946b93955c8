"""Objects and rows agree, whatever dies in between."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.chat import Chat, User
from harness.forms import file_part, form, open_connection, request_head
from harness.pool import ServerPool
from harness.stores import BucketStore, FolderStore, Store
from harness.waiting import wait_until

NOTE = {"file": ("a.txt", b"hola", "text/plain")}


def upload(chat: Chat, user: User) -> Any:
    answer = chat.post("/api/uploads/", user, files=NOTE)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_deleting(chat: Chat, store: Store) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    before = store.names()
    file = upload(chat, ana)
    for number in range(2):
        chat.say(room, ana, str(number), file_id=file["id"])
    path = f"/api/uploads/{file['id']}"
    denied = chat.call("DELETE", path, beto)
    assert (denied.status_code, denied.json()) == (403, {"detail": "No tienes permisos para eliminar este archivo"})
    assert chat.call("DELETE", path, ana).json() == {"message": "Archivo eliminado exitosamente"}
    assert store.names() == before
    assert httpx.get(file["public_url"], trust_env=False).status_code == 404
    assert chat.get(f"{path}/download", ana).json() == {"detail": "Archivo no encontrado"}
    history = chat.history(room, ana)
    assert [(message["content"], message["file_id"], message["file"]) for message in history] == [
        ("0", None, None),
        ("1", None, None),
    ]
    again = chat.call("DELETE", path, ana)
    assert (again.status_code, again.json()) == (404, {"detail": "Archivo no encontrado"})


def test_an_object_that_is_gone_already_can_be_deleted(servers: ServerPool, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "objects")
    chat = servers.prepare(settings=store.settings)
    chat.server.start()
    ana = chat.user()
    file = upload(chat, ana)
    (store.folder / store.names()[0]).unlink()
    assert chat.get(f"/api/uploads/{file['id']}/download", ana).status_code == 404
    assert chat.call("DELETE", f"/api/uploads/{file['id']}", ana).status_code == 200


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_what_a_crash_left_is_removed_at_the_next_start(
    servers: ServerPool, emulator: str, tmp_path: Path, kind: str
) -> None:
    store = FolderStore(tmp_path / "objects") if kind == "folder" else BucketStore(emulator)
    chat = servers.prepare(settings=store.settings)
    chat.server.start()
    ana = chat.user()
    kept = upload(chat, ana)
    with open_connection(chat) as connection:
        complete = file_part(b"completo", field="files")
        begun = form(file_part(b"|" + b"a" * 3_000_000, field="files")).split(b"|")
        head = request_head(chat, ana, "/api/uploads/multiple", "Content-Length: 90000000")
        connection.sendall(head + complete + begun[0] + begun[1][:2_500_000])
        wait_until(lambda: len(store.names()) >= 2, "the objects to be written")
        chat.server.kill()
    assert len(store.names()) >= 2
    chat.server.start()
    wait_until(lambda: len(store.names()) == 1, "the left-over objects to be removed")
    assert chat.get(f"/api/uploads/{kept['id']}/download", ana).content == b"hola"
    assert chat.database.value("select count(*) from pending_objects") == 0


def test_deleting_is_repeated_until_the_object_is_gone(servers: ServerPool, emulator: str) -> None:
    store = BucketStore(emulator)
    chat = servers.prepare(settings=store.settings)
    chat.server.start()
    ana = chat.user()
    file = upload(chat, ana)
    chat.server.stop()
    # The service cannot reach the store, and yet the file is deleted for everybody.
    away = servers.prepare(
        database=chat.database, settings={**store.settings, "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}
    )
    away.server.start()
    away.database.rows(
        "update file_uploads set public_url = ?", file["public_url"].replace(emulator, "http://127.0.0.1:9")
    )
    assert away.call("DELETE", f"/api/uploads/{file['id']}", ana).status_code == 200
    assert away.get(f"/api/uploads/{file['id']}", ana).status_code == 404
    assert store.names() != []
    away.server.kill()
    chat.server.start()
    wait_until(lambda: store.names() == [], "the object to be deleted")
    wait_until(lambda: chat.database.value("select count(*) from pending_objects") == 0, "the list to be empty")


def test_stopping_waits_for_an_upload_that_is_complete(servers: ServerPool, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "objects")
    chat = servers.prepare(settings=store.settings)
    chat.server.start()
    ana = chat.user()
    answers: list[int] = []

    def upload_large() -> None:
        files = {"file": ("a.txt", b"a" * 20_000_000, "text/plain")}
        url = f"{chat.server.base_url}/api/uploads/"
        answers.append(httpx.post(url, headers=ana.headers, files=files, timeout=30, trust_env=False).status_code)

    thread = threading.Thread(target=upload_large)
    thread.start()
    wait_until(lambda: store.names() != [], "the upload to begin")
    chat.server.stop()
    thread.join()
    assert answers == [201]
    assert chat.database.value("select count(*) from file_uploads") == 1
    assert len(store.names()) == 1
