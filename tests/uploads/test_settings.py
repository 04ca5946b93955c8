"""Which store is used, and what is said when it cannot be."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from harness.chat import Chat
from harness.pool import ServerPool
from harness.stores import BucketStore, FolderStore
from harness.waiting import wait_until

NOTE = {"file": ("a.txt", b"hola", "text/plain")}
NO_BUCKET = (404, {"detail": "El bucket de almacenamiento no está disponible"})


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key of a service account that nobody knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    path = tmp_path_factory.mktemp("credentials") / "key.json"
    text = '{"type":"service_account","client_email":"chat@example.iam.gserviceaccount.com","private_key":%s,%s}'
    rest = '"private_key_id":"1","project_id":"p","token_uri":"http://127.0.0.1:9/token"'
    path.write_text(text % (httpx.Response(200, json=pem).text, rest))
    return path


def refuse_to_start(chat: Chat) -> str:
    chat.server.spawn()
    assert chat.server.wait_end() != 0
    return chat.server.log


def test_by_default_files_lie_beside_the_database(servers: ServerPool) -> None:
    chat = servers.prepare()
    chat.server.start()
    assert chat.post("/api/uploads/", chat.user(), files=NOTE).status_code == 201
    assert len(FolderStore(chat.server.folder / "data" / "uploads").names()) == 1


@pytest.mark.parametrize("settings", [{}, {"UPLOAD_PATH": "data/uploads"}, {"UPLOAD_PATH": "/proc/nowhere/uploads"}])
def test_without_the_folder_only_uploads_fail(servers: ServerPool, settings: dict[str, str]) -> None:
    chat = servers.prepare(settings=settings)
    (chat.server.folder / "data").mkdir()
    (chat.server.folder / "data" / "uploads").write_text("no es una carpeta")
    chat.server.start()
    assert re.search("WARNING.*files cannot be uploaded", chat.server.log)
    ana = chat.user()
    answer = chat.post("/api/uploads/", ana, files=NOTE)
    assert (answer.status_code, answer.json()) == NO_BUCKET
    assert chat.say(chat.room(ana), ana, "hola")["content"] == "hola"
    file_id = chat.store_file(ana)
    answer = chat.get(f"/api/uploads/{file_id}/download", ana)
    assert (answer.status_code, answer.json()) == NO_BUCKET
    assert chat.call("DELETE", f"/api/uploads/{file_id}", ana).status_code == 200


def test_a_bucket_that_is_not_there_stops_only_uploads(servers: ServerPool, emulator: str) -> None:
    chat = servers.prepare(settings={"GCS_BUCKET_NAME": "izpochat-nowhere", "STORAGE_EMULATOR_HOST": emulator})
    chat.server.start()
    ana = chat.user()
    answer = chat.post("/api/uploads/", ana, files=NOTE)
    assert (answer.status_code, answer.json()) == NO_BUCKET
    report = chat.post("/api/uploads/multiple", ana, files={"files": NOTE["file"]})
    assert (report.status_code, report.json()) == NO_BUCKET
    wait_until(lambda: "the bucket cannot be used now" in chat.server.log, "a warning")
    assert chat.get("/api/users/me/files", ana).json() == []
    assert chat.say(chat.room(ana), ana, "hola")["content"] == "hola"


@pytest.mark.parametrize("named", [False, True])
def test_without_credentials_only_uploads_fail(servers: ServerPool, tmp_path: Path, *, named: bool) -> None:
    chat = servers.prepare()
    missing = tmp_path / "missing.json"
    line = f"GOOGLE_APPLICATION_CREDENTIALS={missing}\n" if named else ""
    (chat.server.folder / ".env").write_text(f"GCS_BUCKET_NAME=izpochat-real\n{line}")
    chat.server.start()
    assert "GOOGLE_APPLICATION_CREDENTIALS" in chat.server.log
    assert (str(missing) if named else "not set") in chat.server.log
    answer = chat.post("/api/uploads/", chat.user(), files=NOTE)
    assert (answer.status_code, answer.json()) == NO_BUCKET


def test_a_cloud_that_cannot_be_reached_stops_only_uploads(servers: ServerPool, credentials: Path) -> None:
    settings = {"GCS_BUCKET_NAME": "izpochat-real", "GOOGLE_APPLICATION_CREDENTIALS": str(credentials)}
    chat = servers.prepare(settings=settings)
    chat.server.start()
    answer = chat.post("/api/uploads/", chat.user(), files=NOTE)
    assert (answer.status_code, answer.json()) == NO_BUCKET
    assert "PRIVATE KEY" not in chat.server.log


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MAX_FILE_SIZE", "50MB"),
        ("MAX_FILE_SIZE", "0"),
        ("PUBLIC_BASE_URL", "chat.example.com"),
        ("PUBLIC_BASE_URL", "https://chat.example.com/?x=1"),
        ("GCS_PUBLIC_URLS", "maybe"),
        ("GCS_SIGNED_URL_SECONDS", "0"),
        ("GCS_BUCKET_NAME", "No Es Un Bucket"),
    ],
)
def test_settings_that_make_no_sense_are_named(servers: ServerPool, key: str, value: str) -> None:
    log = refuse_to_start(servers.prepare(settings={key: value}))
    assert key in log
    assert value in log


def test_private_buckets_have_signed_urls(servers: ServerPool, emulator: str, credentials: Path) -> None:
    store = BucketStore(emulator)
    settings = {
        **store.settings,
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        "GCS_PUBLIC_URLS": "false",
        "GCS_SIGNED_URL_SECONDS": "600",
    }
    chat = servers.prepare(settings=settings)
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    file = chat.post("/api/uploads/", ana, files=NOTE).json()
    signed = urlsplit(file["public_url"])
    query = parse_qs(signed.query)
    assert query["X-Goog-Expires"] == ["600"]
    assert "X-Goog-Signature" in query
    assert httpx.get(file["public_url"], trust_env=False).content == b"hola"
    stored = chat.database.value("select public_url from file_uploads")
    assert stored == file["public_url"].partition("?")[0], "a row keeps no signature"
    chat.say(room, ana, "", file_id=file["id"])
    assert "X-Goog-Signature" in socket.expect("message")["file"]["public_url"]
    assert "X-Goog-Signature" in chat.history(room, ana)[0]["file"]["public_url"]
    assert chat.get(f"/api/uploads/{file['id']}/download", ana).content == b"hola"
