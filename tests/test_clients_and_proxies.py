"""Requests as proxies and other people's clients send them, by hand where libraries are better behaved."""

import itertools
import resource
import signal
import time
from pathlib import Path

import httpx
import pytest
from harness.chat import Chat
from harness.forms import CONTENT_TYPE, file_part, form
from harness.pool import ServerPool
from harness.raw import RawSocket
from harness.siblings import SETTINGS

EXPIRED = "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"
LARGE = form(file_part(b"x" * 3_000_000))


def ask(chat: Chat, method: str, path: str, *headers: str, body: bytes = b"", length: int | None = None) -> RawSocket:
    """Send a request as it is."""
    raw = RawSocket(chat.server.base_url)
    lines = [f"{method} {path} HTTP/1.1", "Host: chat.example", *headers]
    if body or length is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    raw.send_bytes("\r\n".join([*lines, "", ""]).encode() + body)
    return raw


def status_of(raw: RawSocket) -> int:
    with raw:
        return raw.read_response()[0]


# Early answers.


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/uploads/", 401),
        ("POST", "/nowhere", 404),
        ("DELETE", "/api/uploads/", 405),
        ("POST", "/api/users/login", 413),
        ("POST", "/compat/ws-hub/api/upload/image", 401),
        ("POST", "/socket.io/?EIO=4&transport=polling", 413),
    ],
)
def test_an_early_answer_reaches_a_client_that_is_still_sending(
    chat: Chat, method: str, path: str, status: int
) -> None:
    for _ in range(8):
        # All of it is sent before anything is read: a reset would take the answer away.
        raw = ask(chat, method, path, EXPIRED, f"Content-Type: {CONTENT_TYPE}", "Connection: close", body=LARGE * 2)
        assert status_of(raw) == status


@pytest.mark.parametrize("path", ["/api/uploads/", "/api/uploads/multiple", "/compat/ws-hub/api/upload/image"])
@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)], ids=["plain", "expect"])
def test_who_may_not_upload_is_told_before_the_body(chat: Chat, path: str, expect: tuple[str, ...]) -> None:
    started = time.monotonic()
    raw = ask(chat, "POST", path, EXPIRED, f"Content-Type: {CONTENT_TYPE}", *expect, length=5_000_000)
    assert status_of(raw) == 401
    assert time.monotonic() - started < 5


# Upgrades.


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.0", "foo/2, bar"])
def test_other_upgrades_are_ignored(chat: Chat, offer: str) -> None:
    ana = chat.user()
    room = chat.room(ana)
    body = b'{"content":"\\r\\nUpgrade: h2c\\r\\n"}'
    headers = (f"Authorization: Bearer {ana.token}", "Content-Type: application/json")
    upgrade = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {offer}", "HTTP2-Settings: AAMAAABkAAQAAP__")
    with ask(chat, "POST", f"/api/rooms/{room}/messages", *headers, *upgrade, body=body) as raw:
        assert raw.read_response()[0] == 201
        # The connection goes on.
        raw.send_bytes(b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"Endpoint no encontrado" in raw.read_end()
    assert chat.history(room, ana)[0]["content"] == "\r\nUpgrade: h2c\r\n"


def test_a_root_path_is_compared_by_segments(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", "--root-path", "/co", settings=SETTINGS)
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    with RawSocket.open(f"{chat.server.base_url}/api/ws/{room}?token={ana.token}"):
        pass
    with RawSocket.open(f"{chat.server.base_url}/compat/ws-hub"):
        pass
    assert chat.get("/compat/ws-hub/health").json() == {"status": "Server running"}


def test_without_a_file_left_to_open_a_socket_is_refused_for_now(servers: ServerPool) -> None:
    chat = servers.prepare()
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    pid = chat.server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = {int(name.name) for name in Path(f"/proc/{pid}/fd").iterdir()}
    # One more: the connection itself.
    lowest = next(number for number in itertools.count() if number not in taken)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest + 1, before[1]))
    assert chat.refused(room, ana.token)[0] == 503
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    chat.connect(room, ana).expect_quiet()


# Addresses.


def public_url(chat: Chat, **headers: str) -> str:
    files = {"file": ("a.txt", b"hola", "text/plain")}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = chat.post("/api/uploads/", chat.user(), files=files, headers={"Host": "inner.example", **named})
    url = str(answer.json()["public_url"])
    return url.partition("/api/uploads/files/")[0]


def test_addresses_behind_a_trusted_proxy(chat: Chat) -> None:
    outer = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "chat.example"}
    assert public_url(chat) == "http://inner.example"
    assert public_url(chat, **outer) == "https://chat.example"
    assert public_url(chat, **outer, X_Forwarded_For="203.0.113.7") == "https://chat.example"
    assert public_url(chat, **outer, X_Forwarded_Port="8443") == "https://chat.example:8443"
    assert public_url(chat, **outer, X_Forwarded_Port="443", X_Forwarded_Prefix="/co/") == "https://chat.example/co"
    assert (
        public_url(chat, Forwarded='for=203.0.113.7;host="chat.example:8443";proto=https')
        == "https://chat.example:8443"
    )
    for host in ("evil.example/x", "a b", "x/2026/11/30/u.txt?"):
        assert public_url(chat, X_Forwarded_Host=host) == "http://inner.example"
    assert public_url(chat, Host="x/2026/11/30/u.txt?").startswith("http://127.0.0.1:")


def test_addresses_behind_an_untrusted_proxy(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", "--forwarded-allow-ips", "192.0.2.1")
    chat.server.start()
    assert public_url(chat, X_Forwarded_Proto="https", X_Forwarded_Host="evil.example") == "http://inner.example"


def test_a_base_url_holds_for_files_from_before(servers: ServerPool) -> None:
    before = servers.prepare("sqlite")
    before.server.start()
    ana = before.user()
    room = before.room(ana)
    assert public_url(before) == "http://inner.example"
    file = before.post("/api/uploads/", ana, files={"file": ("a.txt", b"hola", "text/plain")}).json()
    before.post(f"/api/rooms/{room}/messages", ana, json={"content": "mira", "file_id": file["id"]})
    before.server.stop()
    chat = servers.prepare("sqlite", database=before.database, settings={"PUBLIC_BASE_URL": "https://chat.example/co/"})
    chat.server.start()
    key = file["public_url"].partition("/api/uploads/files/")[2]
    wanted = f"https://chat.example/co/api/uploads/files/{key}"
    assert chat.get(f"/api/uploads/{file['id']}", ana).json()["public_url"] == wanted
    assert chat.history(room, ana)[0]["file"]["public_url"] == wanted
    assert public_url(chat, X_Forwarded_Host="other.example") == "https://chat.example/co"


# The end.


def test_the_end_does_not_wait_for_clients(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", owned=False)
    chat.server.start()
    ana = chat.user()
    files = {"file": ("a.txt", b"x" * 30_000_000, "text/plain")}
    file_id = chat.post("/api/uploads/", ana, files=files).json()["id"]
    socket = chat.connect(chat.room(ana), ana)
    token = f"Authorization: Bearer {ana.token}"
    with (
        ask(chat, "POST", "/api/rooms/", token, "Content-Type: application/json", body=b'{"name', length=100),
        ask(chat, "POST", "/socket.io/?EIO=4&transport=polling", body=b"4", length=100),
        ask(chat, "GET", f"/api/uploads/{file_id}/download", token) as unread,
    ):
        assert unread.read_response()[0] == 200
        started = time.monotonic()
        chat.server.signal(signal.SIGTERM)
        assert socket.expect_closed(3)[0] == 1012
        chat.server.wait_end(30)
        assert time.monotonic() - started < 30
    chat.close_sockets()
    chat.server.kill()


def test_bodies_have_a_deadline(servers: ServerPool) -> None:
    """All at once, because each takes half a minute."""
    chat = servers.prepare()
    chat.server.start()
    token = f"Authorization: Bearer {chat.user().token}"
    slow = [
        ask(chat, "POST", "/api/rooms/", token, "Content-Type: application/json", body=b'{"name', length=100),
        ask(chat, "POST", "/socket.io/?EIO=4&transport=polling", body=b"4", length=100),
        ask(chat, "POST", "/compat/ws-hub/api/auth/login", body=b"{", length=100),
    ]
    for raw in slow:
        raw.socket.settimeout(45)
    assert [status_of(raw) for raw in slow] == [408, 408, 408]


def test_nothing_of_polling_is_kept_by_caches(chat: Chat) -> None:
    for answer in (
        chat.get("/socket.io/?EIO=4&transport=polling"),
        chat.get("/socket.io/?EIO=4&transport=polling&sid=unknown"),
        chat.post("/socket.io/?EIO=4&transport=polling", content=b"x" * 1_000_001),
        chat.call("DELETE", "/socket.io/?EIO=4&transport=polling"),
        chat.call("OPTIONS", "/socket.io/", headers={"Origin": "http://a", "Access-Control-Request-Method": "POST"}),
    ):
        assert isinstance(answer, httpx.Response)
        assert answer.headers["cache-control"] == "no-store"
