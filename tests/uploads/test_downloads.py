"""Reading files back: parts, versions, names, types, and who may (contract sections 7.3 and 7.7)."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from harness.chat import Chat, User
from harness.pool import ServerPool
from harness.stores import FolderStore, Store

CONTENT = b"0123456789" * 100_000


def upload(chat: Chat, user: User, content: bytes = b"hola", name: str = "a.txt", kind: str = "text/plain") -> Any:
    answer = chat.post("/api/uploads/", user, files={"file": (name, content, kind)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_download_is_what_was_uploaded(chat: Chat) -> None:
    ana = chat.user()
    file = upload(chat, ana, CONTENT, "año nuevo.txt")
    answer = chat.get(f"/api/uploads/{file['id']}/download", ana)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    headers = answer.headers
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["content-length"] == str(len(CONTENT))
    assert headers["content-disposition"] == (
        "inline; filename=\"a_o nuevo.txt\"; filename*=UTF-8''a%C3%B1o%20nuevo.txt"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["accept-ranges"] == "bytes"
    assert headers["cache-control"] == "private, no-cache"
    head = chat.call("HEAD", f"/api/uploads/{file['id']}/download", ana)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "length"),
    [
        ("bytes=0-9", 206, "bytes 0-9/1000000", 10),
        ("bytes=999990-", 206, "bytes 999990-999999/1000000", 10),
        ("bytes=-5", 206, "bytes 999995-999999/1000000", 5),
        ("bytes=262140-262150", 206, "bytes 262140-262150/1000000", 11),
        ("bytes=5-99999999999", 206, "bytes 5-999999/1000000", 999_995),
        ("bytes=1000000-", 416, "bytes */1000000", 0),
        ("bytes=0-1,5-6", 200, None, 1_000_000),
        ("bytes=" + ",".join(["0-1"] * 10_000), 200, None, 1_000_000),
        ("nada", 200, None, 1_000_000),
    ],
)
def test_parts(chat: Chat, asked: str, status: int, content_range: str | None, length: int) -> None:
    ana = chat.user()
    file = upload(chat, ana, CONTENT)
    answer = chat.get(f"/api/uploads/{file['id']}/download", ana, headers={"Range": asked})
    assert (answer.status_code, answer.headers.get("content-range")) == (status, content_range)
    assert len(answer.content) == length
    if content_range is not None and status == 206:
        start = int(content_range.removeprefix("bytes ").partition("-")[0])
        assert answer.content == CONTENT[start : start + length]


def test_what_the_client_has_is_not_sent_again(chat: Chat) -> None:
    ana = chat.user()
    path = f"/api/uploads/{upload(chat, ana)['id']}/download"
    first = chat.get(path, ana)
    etag = first.headers["etag"]
    again = chat.get(path, ana, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    since = {"If-Modified-Since": first.headers["last-modified"]}
    assert chat.get(path, ana, headers=since).status_code == 304
    other = chat.get(path, ana, headers={"Range": "bytes=0-0", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, b"hola")


def test_what_could_run_scripts_is_saved_and_not_shown(chat: Chat) -> None:
    ana = chat.user()
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    for content, name, kind, shown in [
        (svg, "dibujo.svg", "image/svg+xml", False),
        (b"a,b", "tabla.csv", "text/csv", False),
        (b"<script>alert(1)</script>", "nota.txt", "text/plain", True),
    ]:
        file = upload(chat, ana, content, name, kind)
        answers = [chat.get(f"/api/uploads/{file['id']}/download", ana)]
        if file["public_url"].startswith(chat.server.base_url):
            answers.append(httpx.get(file["public_url"], trust_env=False))
        for answer in answers:
            assert answer.content == content
            assert answer.headers["content-type"].startswith(kind)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-disposition"].startswith("inline" if shown else "attachment")
            assert ("sandbox" in answer.headers.get("content-security-policy", "")) != shown


def test_access_follows_the_messages(chat: Chat) -> None:
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana, private=True)
    chat.add_member(room, ana, beto)
    file = upload(chat, ana)
    path = f"/api/uploads/{file['id']}/download"
    denied = (403, {"detail": "No tienes acceso a este archivo"})

    def read(user: User) -> tuple[int, object]:
        answer = chat.get(path, user)
        return answer.status_code, answer.content if answer.status_code == 200 else answer.json()

    assert read(ana) == (200, b"hola")
    assert read(beto) == denied
    chat.say(room, ana, "", file_id=file["id"])
    assert read(beto) == (200, b"hola")
    assert read(eva) == denied
    assert chat.post(f"/api/rooms/{room}/leave", beto).status_code == 200
    assert read(beto) == denied
    assert chat.get(path).json() == {"detail": "Not authenticated"}
    assert chat.get("/api/uploads/999999999/download", ana).json() == {"detail": "Archivo no encontrado"}
    assert chat.get("/api/uploads/abc/download", ana).status_code == 422


def test_a_file_in_a_message_reaches_a_second_client(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    sockets = chat.connect_all(room, ana, beto)
    file = upload(chat, ana, b"contenido")
    sockets[0].say("mira", file_id=file["id"])
    for socket in sockets:
        frame = socket.expect("message")
        assert frame["file"] == {
            key: file[key] for key in ("id", "original_filename", "public_url", "content_type", "file_size")
        }
        assert httpx.get(frame["file"]["public_url"], trust_env=False).content == b"contenido"
    sent = chat.say(room, beto, "otra vez", file_id=file["id"])
    assert sent["file"] == file
    assert sockets[0].expect("message")["file"]["public_url"] == file["public_url"]
    assert [message["file"] for message in chat.history(room, beto)] == [file, file]


def test_addresses_of_the_folder_are_only_keys(chat: Chat, store: Store) -> None:
    file = upload(chat, chat.user())
    parts = urlsplit(file["public_url"])
    if not isinstance(store, FolderStore):
        assert chat.get("/api/uploads/files/" + "/".join(parts.path.split("/")[2:])).status_code == 404
        return
    assert chat.get(parts.path).content == b"hola"
    assert chat.get(parts.path).headers["cache-control"] == "public, max-age=31536000, immutable"
    assert chat.get(parts.path, headers={"Range": "bytes=1-2"}).content == b"ol"
    key = parts.path.removeprefix("/api/uploads/files/")
    for other in (
        "x",
        "..%2f..%2fserver.log",
        f"{key}x",
        f"{key}%00",
        f"/{key}",
        key[:10],
        ".incoming",
    ):
        answer = chat.get(f"/api/uploads/files/{other}")
        assert answer.status_code == 404, other


def test_the_public_address_may_be_set(servers: ServerPool) -> None:
    chat = servers.prepare(settings={"PUBLIC_BASE_URL": "https://chat.example.com/chat/"})
    chat.server.start()
    url = upload(chat, chat.user())["public_url"]
    assert url.startswith("https://chat.example.com/chat/api/uploads/files/2")


def test_behind_a_root_path_and_a_proxy(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", "--root-path", "/chat", "--forwarded-allow-ips", "*")
    chat.server.start()
    headers = {"X-Forwarded-Proto": "https", "Host": "chat.example.com"}
    files = {"file": ("a.txt", b"hola", "text/plain")}
    url = chat.post("/api/uploads/", chat.user(), files=files, headers=headers).json()["public_url"]
    assert url.startswith("https://chat.example.com/chat/api/uploads/files/")
