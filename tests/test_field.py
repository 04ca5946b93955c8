"""Inputs that proxies, clients and tools are known to send; where each is known from is in docs/FIELD.md."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness.chat import Chat
from harness.pool import ServerPool
from harness.raw import RawSocket

BODY = b'{"content":"hola"}'
CHUNKS = b"5;name=value\r\n" + BODY[:5] + b"\r\nd\r\n" + BODY[5:] + b"\r\n0\r\nX-Trailer: x\r\n\r\n"
EXTENSIONS = [
    "x-webkit-deflate-frame",
    'permessage-bzip2; level="a,b;c", permessage-deflate; client_max_window_bits',
    "",
    ';;=,"',
]


def upgrade(chat: Chat, target: str, *more: str) -> RawSocket:
    """Send the request for an upgrade with this target."""
    raw = RawSocket(chat.socket_url(1, None), chat.context)
    raw.target = target
    raw.send_bytes(raw.request(*more))
    return raw


def absolute_targets(chat: Chat) -> list[str]:
    """The address of one room with scheme and host, as it may stand in a request line."""
    ana = chat.user()
    address = chat.socket_url(chat.room(ana), ana.token).removeprefix("ws")
    return [
        f"http{address}",
        f"ws{address}",
        f"HTTP{address}",
        f"http://other.example.com{address[address.index('/api') :]}",
    ]


def test_an_upgrade_with_the_whole_address_as_its_target(chat: Chat) -> None:
    for target in absolute_targets(chat):
        with upgrade(chat, target) as raw:
            assert raw.read_response()[0] == 101, target
            assert b'"welcome"' in raw.read_frame().payload


@pytest.mark.parametrize("arguments", [("--http", "h11"), ("--http", "httptools", "--ws", "wsproto")], ids=" ".join)
@pytest.mark.parametrize("transport", ["handoff", "wrapped"])
def test_the_whole_address_under_other_classes_of_uvicorn(
    servers: ServerPool, arguments: tuple[str, ...], transport: str
) -> None:
    chat = servers.prepare("sqlite", *arguments, transport=transport)
    chat.server.start()
    for target in absolute_targets(chat):
        with upgrade(chat, target) as raw:
            assert raw.read_response()[0] == 101, target


@pytest.mark.parametrize("path", ["/socket.io/?EIO=4&transport=websocket", "/compat/ws-hub/ws?username=eva"])
def test_the_whole_address_at_the_compatible_systems(chat: Chat, path: str) -> None:
    with upgrade(chat, path) as usual, upgrade(chat, f"{chat.server.base_url}{path}") as whole:
        assert whole.read_response()[0] == usual.read_response()[0]


@pytest.mark.parametrize("offer", EXTENSIONS)
def test_unknown_or_broken_extensions_are_declined(chat: Chat, offer: str) -> None:
    ana = chat.user()
    with upgrade(chat, f"/api/ws/{chat.room(ana)}?token={ana.token}", f"Sec-WebSocket-Extensions: {offer}") as raw:
        status, head = raw.read_response()
        assert status == 101
        assert "sec-websocket-extensions" not in head.lower()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xef\xbb\xbf" + BODY, []),
        (BODY.decode().encode("utf-16"), []),
        (BODY, ['Content-Type: application/JSON; charset="UTF-8"']),
        (BODY, ["Expect: 100-Continue"]),
        (CHUNKS, ["Transfer-Encoding: Chunked"]),
    ],
    ids=["byte order mark", "UTF-16", "charset", "Expect", "chunks"],
)
def test_bodies_of_other_clients(chat: Chat, body: bytes, headers: list[str]) -> None:
    ana = chat.user()
    room = chat.room(ana)
    lines = [
        f"POST /api/rooms/{room}/messages HTTP/1.1",
        "Host: chat.example.com",
        f"Authorization: bearer {ana.token}",
        "Connection: close",
        *headers,
    ]
    if not any(line.startswith("Content-Type") for line in headers):
        lines.append("Content-Type: application/json")
    if not any(line.startswith("Transfer-Encoding") for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    with RawSocket(chat.socket_url(room, None), chat.context) as raw:
        raw.send_bytes(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        answer = raw.read_end()
    final = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert final.startswith(b"HTTP/1.1 201 "), answer
    assert json.loads(final.partition(b"\r\n\r\n")[2])["content"] == "hola"


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_compressed_body_is_refused(chat: Chat, coding: str) -> None:
    ana = chat.user()
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    answer = chat.post(f"/api/rooms/{chat.room(ana)}/messages", ana, content=b"\x1f\x8b\x08\x00", headers=headers)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=5-4", 200, b"0123456789"),
        ("bytes=0--1", 200, b"0123456789"),
        ("bytes=0-0,5-6", 200, b"0123456789"),
        ("bytes=10-", 416, b""),
        ("bytes=99999999999999999999-", 416, b""),
        ("bytes=-3", 206, b"789"),
    ],
)
def test_ranges_of_other_clients(servers: ServerPool, tmp_path: Path, asked: str, status: int, content: bytes) -> None:
    # The folder of uploads is a symbolic link, as deployments with a shared folder have it.
    (tmp_path / "shared").mkdir()
    (tmp_path / "current").symlink_to(tmp_path / "shared")
    chat = servers.prepare("sqlite", settings={"UPLOAD_PATH": str(tmp_path / "current")})
    chat.server.start()
    uploaded = chat.post("/api/uploads/", chat.user(), files={"file": ("a.txt", b"0123456789", "text/plain")})
    answer = chat.get(urlsplit(uploaded.json()["public_url"]).path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, content)


@pytest.mark.parametrize("key", ["SECRET_KEY", "APP_NAME", "JWT_SECRET"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_that_docker_keeps_are_named(servers: ServerPool, key: str, quote: str) -> None:
    value = "a-value-that-nobody-shows-0123456789"
    chat = servers.prepare("sqlite", settings={key: f"{quote}{value}{quote}"})
    chat.server.start()
    assert f"{key}: the quotes around the value are taken as a part of it" in chat.server.log
    assert value not in chat.server.log
