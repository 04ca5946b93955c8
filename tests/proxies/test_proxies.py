"""The real nginx and haproxy in front of the service, configured as docs/PROXIES.md says."""

import json
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.chat import Chat
from harness.forms import CONTENT_TYPE, file_part, form, request_head
from harness.pool import ServerPool
from harness.processes import APPLICATION, free_port
from harness.proxies import Proxies, documented
from harness.raw import PING, PONG, TEXT
from harness.siblings import SETTINGS
from harness.walk import LARGE_FILE, assert_all_systems_work

BOTH = pytest.mark.parametrize("program", ["nginx", "haproxy"])
PREFIX = "/chat"
READ_TIMEOUT = "proxy_read_timeout 60s;"


def upload(chat: Chat, **options: Any) -> httpx.Response:
    files = {"file": ("a.pdf", LARGE_FILE, "application/pdf")}
    answer = chat.post("/api/uploads/", chat.user(), files=files, **options)
    assert answer.status_code == 201, answer.text
    return answer


@BOTH
def test_all_systems(proxies: Proxies, behind: Chat, program: str) -> None:
    chat = proxies.start(program, behind)
    assert_all_systems_work(chat)


@BOTH
def test_http2_and_forwarded_headers(proxies: Proxies, behind: Chat, program: str) -> None:
    chat = proxies.start(program, behind)
    assert chat.context is not None
    chat.server.close_http()
    chat.server.replace_http(
        httpx.Client(base_url=chat.server.base_url, verify=chat.context, http2=True, trust_env=False)
    )
    answer = upload(chat)
    assert answer.http_version == "HTTP/2"
    # The outer scheme, host and port; and the file is there.
    assert answer.json()["public_url"].startswith(f"{chat.server.base_url}/api/uploads/files/")
    downloaded = chat.get(answer.json()["public_url"])
    assert (downloaded.http_version, downloaded.content) == ("HTTP/2", LARGE_FILE)
    opened = chat.get("/socket.io/?EIO=4&transport=polling")
    assert (opened.http_version, opened.status_code, opened.headers["cache-control"]) == ("HTTP/2", 200, "no-store")


@pytest.mark.parametrize(
    ("program", "changes"),
    [
        ("nginx", {READ_TIMEOUT: f"{READ_TIMEOUT} proxy_request_buffering off; proxy_buffering off;"}),
        ("nginx", {'""      "";': '""      close;'}),
        ("nginx", {"proxy_http_version 1.1;": "proxy_http_version 1.0;"}),
        ("haproxy", {"backend chat\n": "backend chat\n    option httpclose\n"}),
    ],
    ids=["nginx-unbuffered", "nginx-close", "nginx-http1.0", "haproxy-close"],
)
def test_large_uploads(proxies: Proxies, behind: Chat, program: str, changes: dict[str, str]) -> None:
    chat = proxies.start(program, behind, **changes)
    for headers in ({}, {"Connection": "close"}):
        answer = upload(chat, headers=headers)
        assert chat.get(answer.json()["public_url"], headers=headers).content == LARGE_FILE
    for _ in range(10):
        # The answer comes before the body has been read: nothing may reset it away. On a connection of its own, since
        # a proxy ends one whose body it has not read.
        chat.server.close_http()
        refused = chat.post("/api/uploads/", files={"file": ("a.pdf", LARGE_FILE, "application/pdf")})
        assert refused.status_code == 403, refused.text


@pytest.mark.parametrize(("program", "kept"), [("nginx", False), ("nginx", True), ("haproxy", False)])
def test_a_prefix(servers: ServerPool, proxies: Proxies, tmp_path: Path, program: str, *, kept: bool) -> None:
    path = tmp_path / "chat.sock"
    arguments = ["--uds", str(path), "--root-path", PREFIX, "--forwarded-allow-ips", "*"]
    command = [sys.executable, "-m", "uvicorn", APPLICATION, *arguments]
    behind = servers.prepare("sqlite", command=command, settings=SETTINGS)
    behind.server.spawn()
    stripping = documented(program)[1]
    if program == "haproxy":
        changes = {"    default_backend": f"{stripping}    default_backend"}
        chat = proxies.start(program, behind, upstream=str(path), prefix=PREFIX, **changes)
    else:
        location = f"location {PREFIX}/ {{ proxy_pass http://chat;" if kept else stripping
        changes = {"    location / {\n        proxy_pass http://chat;\n": location}
        chat = proxies.start(program, behind, upstream=f"unix:{path}", prefix=PREFIX, **changes)
    assert_all_systems_work(chat)
    assert upload(chat).json()["public_url"].startswith(f"{chat.server.base_url}/api/uploads/files/")


@BOTH
def test_pings_keep_an_idle_socket_open(servers: ServerPool, proxies: Proxies, program: str) -> None:
    behind = servers.prepare("sqlite", "--ws-ping-interval", "0.4")
    behind.server.start()
    chat = proxies.start(program, behind, **{"60s": "1s"})
    ana = chat.user()
    with chat.connect_raw(chat.room(ana), ana) as opened:
        for _ in range(6):
            opened.send(PONG, opened.read_until(PING).payload)
        opened.send(TEXT, b'{"type":"ping"}')
        assert opened.read_until(TEXT).payload.startswith(b'{"type":"pong"')
    # What both proxies allow by default is longer than what Socket.IO waits between two pings.
    assert chat.get("/socket.io/?EIO=4&transport=polling").text.partition('"pingInterval":')[2].startswith("25000,")


def test_half_closed_clients(proxies: Proxies, behind: Chat) -> None:
    port = free_port()
    proxies.start("haproxy", behind, **{"frontend outside\n": f"frontend outside\n    bind 127.0.0.1:{port}\n"})
    ana = behind.user()
    body = form(file_part(b"x" * 3_000_000))
    large = request_head(behind, ana, "/api/uploads/", f"Content-Length: {len(body)}") + body
    # A log-in takes long enough to be overtaken by the end of the client's side.
    login = json.dumps({"username": ana.username, "password": ana.password}).encode()
    slow = request_head(behind, ana, "/api/users/login", f"Content-Length: {len(login)}") + login
    slow = slow.replace(CONTENT_TYPE.encode(), b"application/json")
    assert behind.server.address is not None
    for address, request, status in (
        (("127.0.0.1", port), slow, b"200 OK"),
        (("127.0.0.1", port), large, b"201 Created"),
        # What uvicorn carries itself it drops then, unless the answer is there at once.
        (behind.server.address, large, b"201 Created"),
    ):
        with socket.create_connection(address, timeout=10) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(65_536).startswith(b"HTTP/1.1 " + status)
