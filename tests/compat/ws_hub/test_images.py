"""Images of ws-hub: section 4 of its contract, on a folder beside SQLite and on a bucket beside PostgreSQL."""

import contextlib
import re
import socket
import struct
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.forms import BOUNDARY, CONTENT_TYPE, file_part, form, part, png
from harness.pool import ServerPool
from harness.siblings import SETTINGS, Account, Sibling, is_error
from harness.stores import BucketStore, FolderStore, Store
from harness.waiting import wait_until

UPLOAD = "/api/upload/image"
MAX_BYTES = 5 * 1024 * 1024
ADDRESS = re.compile(
    r"/uploads/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.(jpg|png|gif|webp)"
)
NO_IMAGE = {"message": "Only image files (JPEG, PNG, GIF, WebP) are allowed"}
NO_FILE = {"message": "No file uploaded"}
TOO_LARGE = {"message": "File too large"}
NOT_FOUND = {"message": "Not found"}
UNAVAILABLE = {"message": "Service temporarily unavailable"}

PNG = png(3, 2)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x0b\x08\0\x02\0\x03\x01\x01\x11\0\xff\xd9"
GIF = b"GIF89a" + struct.pack("<HH", 3, 2) + b"\0\0\0;" + b"\0" * 20
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\x02\x40\0\0" + b"\0" * 9
IMAGES = {
    "png": (PNG, "image/png"),
    "jpg": (JPEG, "image/jpeg"),
    "gif": (GIF, "image/gif"),
    "webp": (WEBP, "image/webp"),
}


def upload(
    hub: Sibling, account: Account, content: bytes = PNG, name: str = "foto.png", kind: str = "image/png"
) -> str:
    """Upload an image and give its address."""
    answer = hub.post(UPLOAD, account.token, files={"image": (name, content, kind)})
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["imageUrl"]
    address = answer.json()["imageUrl"]
    assert isinstance(address, str)
    assert ADDRESS.fullmatch(address)
    return address


def send_form(
    hub: Sibling, account: Account, body: bytes | Iterator[bytes], kind: str = CONTENT_TYPE
) -> httpx.Response:
    return hub.post(UPLOAD, account.token, content=body, headers={"Content-Type": kind})


def image_part(content: bytes, **options: Any) -> bytes:
    return file_part(content, **{"field": "image", "name": "a.png", "content_type": "image/png", **options})


def get_raw(hub: Sibling, path: str) -> tuple[int, bytes]:
    """Status and body of a GET whose path nobody has tidied up."""
    assert hub.chat.server.address is not None
    with socket.create_connection(hub.chat.server.address, timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n\r\n".encode())
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def announced(hub: Sibling) -> list[str]:
    return [name for (name,) in hub.chat.database.rows("select object_key from pending_objects")]


@pytest.mark.parametrize("extension", IMAGES)
def test_an_image_is_what_its_content_is(images: Sibling, store: Store, extension: str) -> None:
    content, media_type = IMAGES[extension]
    ana = images.account()
    # Neither the client's name nor the type it declares has a say.
    for name, declared in ((f"foto.{extension}", media_type), ("../../x.html", "text/html"), ("año", "image/svg+xml")):
        address = upload(images, ana, content, name, declared)
        assert address.endswith(f".{extension}")
        answer = images.get(address)
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-type"] == media_type
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-length"] == str(len(content))
        assert store.read("public-images/" + address.removeprefix("/uploads/")) == content
    assert announced(images) == []


def test_the_same_image_twice_has_two_addresses(images: Sibling) -> None:
    ana = images.account()
    assert upload(images, ana) != upload(images, ana)


def test_conditions_parts_and_heads(images: Sibling) -> None:
    content = png(600, 400)
    address = upload(images, images.account(), content)
    whole = images.get(address)
    etag, modified = whole.headers["etag"], whole.headers["last-modified"]
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    for headers in ({"If-None-Match": etag}, {"If-Modified-Since": modified}, {"If-None-Match": "*"}):
        answer = images.get(address, headers=headers)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        assert "content-length" not in answer.headers
    assert images.get(address, headers={"If-None-Match": '"x"'}).content == content
    piece = images.get(address, headers={"Range": "bytes=10-19"})
    assert (piece.status_code, piece.content) == (206, content[10:20])
    assert piece.headers["content-range"] == f"bytes 10-19/{len(content)}"
    assert piece.headers["content-length"] == "10"
    assert images.get(address, headers={"Range": "bytes=10-19", "If-Range": '"x"'}).content == content
    beyond = images.get(address, headers={"Range": f"bytes={len(content)}-"})
    assert (beyond.status_code, beyond.content) == (416, b"")
    assert beyond.headers["content-range"] == f"bytes */{len(content)}"
    head = images.call("HEAD", address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(content))
    assert images.get(address + "/").content == content
    assert is_error(images.call("DELETE", address), 405, {"message": "Method not allowed"})
    assert is_error(images.get(UPLOAD), 405, {"message": "Method not allowed"})


@pytest.mark.parametrize("size", [MAX_BYTES - 1, MAX_BYTES])
def test_sizes_up_to_the_limit(images: Sibling, store: Store, size: int) -> None:
    content = PNG + b"\0" * (size - len(PNG))
    address = upload(images, images.account(), content)
    assert images.get(address).content == content
    assert len(store.read("public-images/" + address.removeprefix("/uploads/"))) == size


@pytest.mark.parametrize("size", [MAX_BYTES + 1, MAX_BYTES + 60_000, MAX_BYTES + 70_000, 3 * MAX_BYTES])
def test_sizes_beyond_the_limit(images: Sibling, store: Store, size: int) -> None:
    ana, before = images.account(), store.names()
    body = form(image_part(PNG + b"\0" * (size - len(PNG))))
    assert is_error(send_form(images, ana, body), 413, TOO_LARGE)
    # Of unknown length, as a form in chunks is.
    chunks = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    assert is_error(send_form(images, ana, chunks), 413, TOO_LARGE)
    assert store.names() == before
    assert images.get("/health").status_code == 200


def test_a_form_may_hold_a_little_besides(images: Sibling) -> None:
    ana = images.account()
    content = PNG + b"\0" * (MAX_BYTES - len(PNG))
    besides = part('name="caption"', b"x" * 60_000, None)
    assert send_form(images, ana, form(besides, image_part(content))).status_code == 200
    too_much = part('name="caption"', b"x" * 66_000, None)
    assert is_error(send_form(images, ana, form(too_much, image_part(content))), 413, TOO_LARGE)


def test_a_picture_with_too_many_pixels(images: Sibling, store: Store) -> None:
    ana, before = images.account(), store.names()
    bomb = png(20_000, 20_000, rows=[])
    assert is_error(send_form(images, ana, form(image_part(bomb))), 413, TOO_LARGE)
    assert store.names() == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"\x89PNG",
        b"solo texto",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>alert(1)</script>",
        b"BM" + b"\0" * 60,
        b"\0\0\0\x1cftypavif" + b"\0" * 40,
        b"RIFF\x10\0\0\0WAVEfmt " + b"\0" * 30,
        b"\n" + PNG,
    ],
)
def test_what_is_no_image(images: Sibling, store: Store, content: bytes) -> None:
    ana, before = images.account(), store.names()
    answer = images.post(UPLOAD, ana.token, files={"image": ("a.png", content, "image/png")})
    assert is_error(answer, 400, NO_IMAGE)
    assert store.names() == before
    assert announced(images) == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", None),
        (b"", CONTENT_TYPE.split(";", maxsplit=1)[0]),
        (b'{"image":"x"}', "application/json"),
        (PNG, "image/png"),
        (form(), CONTENT_TYPE),
        (form(file_part(PNG, field="file", name="a.png")), CONTENT_TYPE),
        (form(file_part(PNG, field="images", name="a.png")), CONTENT_TYPE),
        (form(file_part(PNG, field="Image", name="a.png")), CONTENT_TYPE),
        (form(part('name="image"', b"a text", None)), CONTENT_TYPE),
        (form(image_part(PNG)), "multipart/form-data; boundary="),
        (form(image_part(PNG)), "multipart/mixed; boundary=" + BOUNDARY),
    ],
)
def test_without_a_file(images: Sibling, body: bytes, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = images.post(UPLOAD, images.account().token, content=body, headers=headers)
    assert is_error(answer, 400, NO_FILE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        form(image_part(PNG))[:-30],
        form(image_part(PNG)).replace(BOUNDARY.encode(), b"other"),
        f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=".encode() + b"x" * 100_000,
    ],
)
def test_damaged_forms(images: Sibling, store: Store, body: bytes) -> None:
    ana, before = images.account(), store.names()
    answer = send_form(images, ana, body)
    assert (answer.status_code, list(answer.json())) == (400, ["message"])
    assert store.names() == before


def test_of_several_files_the_first_counts(images: Sibling) -> None:
    body = form(file_part(b"x", field="other"), image_part(GIF), image_part(PNG))
    answer = send_form(images, images.account(), body)
    assert answer.status_code == 200, answer.text
    assert images.get(answer.json()["imageUrl"]).content == GIF


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "No token provided"),
        ("Basic x", "Invalid token format"),
        ("bearer x", "Invalid token format"),
        ("Bearer x", "Invalid or expired token"),
        ("expired", "Invalid or expired token"),
        ("of another system", "Invalid or expired token"),
    ],
)
def test_without_a_token(images: Sibling, store: Store, header: str | None, message: str) -> None:
    ana, before = images.account(), store.names()
    if header == "expired":
        header = "Bearer " + images.sign(ana.id, ana.username, exp=1_000_000_000)
    elif header == "of another system":
        header = "Bearer " + Sibling(images.chat, "webrtc").account().token
    headers = {"Content-Type": CONTENT_TYPE} | ({} if header is None else {"Authorization": header})
    for content in (PNG, PNG + b"\0" * 4_000_000, b"x" * (2 * MAX_BYTES)):
        answer = images.post(UPLOAD, content=form(image_part(content)), headers=headers)
        assert is_error(answer, 401, {"message": message})
    assert store.names() == before


def test_nothing_else_is_reached(images: Sibling, store: Store) -> None:
    izpo, ana = images.chat.user(), images.account()
    files = {"file": ("a.png", PNG, "image/png")}
    uploaded = images.chat.post("/api/uploads/", izpo, files=files).json()
    (key,) = (name for name in store.names() if name in uploaded["public_url"])
    day, name = key.rsplit("/", 1)
    address = upload(images, ana)
    image = address.removeprefix("/uploads/")
    quoted = key.replace("/", "%2f")
    for path in (
        key,
        quoted,
        name,
        f"{name}.thumbnail.webp",
        f"..%2f{quoted}",
        f"%2e%2e%2f{quoted}",
        f"../{key}",
        f"{day}%2f{name}",
        f"..%5c{name}",
        f"public-images%2f{image}",
        f".%2f{image}",
        f"{image}%00",
        f"{image}.",
        image.upper(),
        image.replace(".png", ".jpg"),
        image.replace(".png", ""),
        "..",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%00",
        "",
    ):
        status, body = get_raw(images, f"{images.mount}/uploads/{path}")
        assert (status, body) == (404, b'{"message":"Not found"}'), path
    # Nor do the service's own routes know images: not below the address of its files, and not at the origin.
    for path in (
        f"/api/uploads/files/public-images/{image}",
        f"/api/uploads/files/{image}",
        f"/api/uploads/files/{day}/{image}",
        address,
        f"/compat/webrtc{address}",
    ):
        assert images.chat.get(path, izpo).status_code == 404, path
    refused = images.chat.post(UPLOAD, izpo, files={"image": ("a.png", PNG, "image/png")})
    assert is_error(refused, 404, {"error": "Endpoint no encontrado", "status_code": 404})
    assert images.get(address).content == PNG


def test_an_image_in_a_message(images: Any) -> None:
    ana, beto = images.accounts("ana", "beto")
    room = images.room(ana, beto)
    first = images.enter(ana)
    second = images.enter(beto, first)
    for one in (first, second):
        one.join(room)
    address = upload(images, ana, JPEG)
    first.say_frame("SEND_MESSAGE", roomId=room, imageUrl=address)
    frames = [one.expect_frame("MESSAGE") for one in (first, second)]
    assert [frame["imageUrl"] for frame in frames] == [address, address]
    assert images.get(frames[1]["imageUrl"]).content == JPEG
    history = images.get(f"/api/rooms/{room}/messages", beto.token).json()["messages"]
    assert [(message["content"], message["imageUrl"]) for message in history] == [("", address)]


def test_whoever_gives_up_leaves_room_for_others(images: Sibling, store: Store) -> None:
    ana, before = images.account(), store.names()
    assert images.chat.server.address is not None
    head = f"POST {images.mount}{UPLOAD} HTTP/1.1\r\nHost: chat.example\r\nContent-Length: 4000000\r\n"
    head += f"Authorization: Bearer {ana.token}\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n"
    begun = head.encode() + form(image_part(PNG))[:100]
    # More than are read at a time.
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            connection = stack.enter_context(socket.create_connection(images.chat.server.address, timeout=30))
            connection.sendall(begun)
        assert images.get("/health").status_code == 200
        assert images.get("/uploads/a.png").status_code == 404
    assert images.get(upload(images, ana)).content == PNG
    assert len(store.names()) == len(before) + 1


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_what_a_crash_left_is_removed_at_the_next_start(
    servers: ServerPool, emulator: str, tmp_path: Path, kind: str
) -> None:
    store = FolderStore(tmp_path / "objects") if kind == "folder" else BucketStore(emulator)
    chat = servers.prepare(settings={**SETTINGS, **store.settings})
    chat.server.start()
    hub = Sibling(chat, "ws-hub")
    ana = hub.account()
    kept, lost = upload(hub, ana), upload(hub, ana)
    chat.server.kill()
    # As if it had died before it was done with the second one, and somebody had announced what is no object of ours.
    key = "public-images/" + lost.removeprefix("/uploads/")
    for name in (key, "public-images/../x", "public-images/"):
        chat.database.rows("insert into pending_objects (object_key, due_at) values (?, ?)", name, chat.database.now())
    chat.server.start()
    wait_until(lambda: key not in store.names(), "the left-over object to be removed")
    wait_until(lambda: announced(hub) == [], "the list to be empty")
    assert hub.get(kept).content == PNG
    assert is_error(hub.get(lost), 404, NOT_FOUND)


def test_without_a_store(servers: ServerPool) -> None:
    chat = servers.prepare(settings=SETTINGS)
    (chat.server.folder / "data").mkdir()
    (chat.server.folder / "data" / "uploads").write_text("no es una carpeta")
    chat.server.start()
    hub = Sibling(chat, "ws-hub")
    ana = hub.account()
    assert is_error(send_form(hub, ana, form(image_part(PNG))), 503, UNAVAILABLE)
    assert is_error(send_form(hub, ana, form(image_part(b"x"))), 400, NO_IMAGE)
    assert is_error(hub.get("/uploads/0f8fad5b-d9cb-469f-a165-70867728950e.png"), 503, UNAVAILABLE)
    assert is_error(hub.get("/uploads/a.png"), 404, NOT_FOUND)
    assert hub.get("/health").status_code == 200


def test_while_the_bucket_is_away(servers: ServerPool) -> None:
    away = {"GCS_BUCKET_NAME": "nowhere", "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}
    chat = servers.prepare(settings={**SETTINGS, **away})
    chat.server.start()
    hub = Sibling(chat, "ws-hub")
    ana = hub.account()
    assert is_error(send_form(hub, ana, form(image_part(PNG))), 503, UNAVAILABLE)
    assert is_error(hub.get("/uploads/0f8fad5b-d9cb-469f-a165-70867728950e.png"), 503, UNAVAILABLE)
    # It may have come into being all the same, so it is to be deleted.
    assert [name.split("/")[0] for name in announced(hub)] == ["public-images"]
