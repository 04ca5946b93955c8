"""Large files, slow clients, and clients that go away."""

import json
import resource
import socket
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path

import httpx
import psutil
import pytest
from harness.chat import Chat
from harness.forms import (
    BOUNDARY,
    CONTENT_TYPE,
    file_part,
    form,
    open_connection,
    part,
    request_head,
    send_until_answered,
)
from harness.pool import ServerPool
from harness.processes import APPLICATION, free_port
from harness.stores import FolderStore, Store
from harness.waiting import wait_until

LIMIT = 50 * 1024 * 1024
TOO_LARGE = {"detail": "Archivo muy grande. Máximo permitido: 50MB"}


def large_form(size: int, *, content_type: str = "text/plain", field: str = "file") -> Iterator[bytes]:
    """A form with one file of this size, in pieces."""
    head, tail = form(file_part(b"|", field=field, content_type=content_type)).split(b"|")
    yield head
    piece = b"a" * 65_536
    for _ in range(size // len(piece)):
        yield piece
    yield b"a" * (size % len(piece))
    yield tail


def test_fifty_megabytes_and_not_one_byte_more(chat: Chat, store: Store) -> None:
    ana = chat.user()
    headers = {"Content-Type": CONTENT_TYPE}
    before = store.names()
    exact = chat.post("/api/uploads/", ana, content=large_form(LIMIT), headers=headers)
    assert (exact.status_code, exact.json()["file_size"]) == (201, LIMIT)
    more = chat.post("/api/uploads/", ana, content=large_form(LIMIT + 1), headers=headers)
    assert (more.status_code, more.json()) == (413, TOO_LARGE)
    wait_until(lambda: len(store.names()) == len(before) + 1, "nothing to stay of the second")


def test_size_comes_before_type(chat: Chat) -> None:
    headers = {"Content-Type": CONTENT_TYPE}
    body = large_form(LIMIT + 1, content_type="text/html")
    assert chat.post("/api/uploads/", chat.user(), content=body, headers=headers).json() == TOO_LARGE


def test_the_limit_bites_while_the_client_sends(chat: Chat, store: Store) -> None:
    before = store.names()
    with open_connection(chat) as connection:
        connection.sendall(request_head(chat, chat.user(), "/api/uploads/", "Transfer-Encoding: chunked"))
        sent, status, answer = send_until_answered(connection, large_form(20 * LIMIT))
    assert (status, json.loads(answer)) == (413, TOO_LARGE)
    assert sent < 1.5 * LIMIT, f"answered after {sent} bytes"
    # The unfinished file is removed beside the answer.
    wait_until(lambda: store.names() == before, "nothing to stay")


def test_a_file_over_the_limit_does_not_stop_the_others(servers: ServerPool) -> None:
    chat = servers.prepare(settings={"MAX_FILE_SIZE": "100000"})
    chat.server.start()
    ana = chat.user()
    sizes = {"1.txt": 99_999, "2.txt": 100_001, "3.txt": 100_000, "4.txt": 300_000}
    files = [("files", (name, b"a" * size, "text/plain")) for name, size in sizes.items()]
    report = chat.post("/api/uploads/multiple", ana, files=files).json()
    assert [file["original_filename"] for file in report["uploaded_files"]] == ["1.txt", "3.txt"]
    refused = "Archivo muy grande. Máximo permitido: 0.10MB"
    assert report["errors"] == [{"filename": "2.txt", "error": refused}, {"filename": "4.txt", "error": refused}]
    assert chat.get("/api/uploads/types/allowed").json()["max_file_size_mb"] == 0.1


def test_a_client_that_asks_first_is_told_to_go_on(chat: Chat) -> None:
    ana = chat.user()
    body = b"".join(large_form(1_000_000))
    with open_connection(chat) as connection:
        length = f"Content-Length: {len(body)}"
        connection.sendall(request_head(chat, ana, "/api/uploads/", length, "Expect: 100-continue"))
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.loads(answer.read())["file_size"]) == (201, 1_000_000)
        assert connection.recv(1) == b"", "the server does not know where the next request begins"


def test_small_files_keep_the_connection(chat: Chat) -> None:
    ana = chat.user()
    body = form(file_part())
    with open_connection(chat) as connection:
        for _ in range(2):
            connection.sendall(request_head(chat, ana, "/api/uploads/", f"Content-Length: {len(body)}") + body)
            answer = HTTPResponse(connection)
            answer.begin()
            assert (answer.status, len(answer.read()) > 0) == (201, True)


def test_a_refused_client_that_goes_on_sending_sees_its_answer(chat: Chat) -> None:
    ana = chat.user()
    body = part('name="a"', b"", None) * 100_000
    with open_connection(chat) as connection:
        connection.sendall(request_head(chat, ana, "/api/uploads/", f"Content-Length: {len(body)}") + body)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400


@pytest.mark.parametrize("command", ["tls", "hypercorn", "h11"])
def test_where_the_socket_cannot_be_read_directly_and_where_it_can(servers: ServerPool, command: str) -> None:
    if command == "tls":
        chat = servers.prepare(transport="asgi")
    elif command == "hypercorn":
        address = ("127.0.0.1", free_port())
        run = [sys.executable, "-m", "hypercorn", APPLICATION, "--bind", f"127.0.0.1:{address[1]}"]
        chat = servers.prepare(command=run, address=address)
    else:
        chat = servers.prepare("sqlite", "--http", "h11", "--loop", "asyncio")
    chat.server.start()
    ana = chat.user()
    headers = {"Content-Type": CONTENT_TYPE}
    for size, status in ((3_000_000, 201), (LIMIT + 1, 413), (10, 201)):
        body = b"".join(large_form(size))
        answer = chat.post("/api/uploads/", ana, content=body, headers=headers)
        assert answer.status_code == status, answer.text
    assert len(chat.get("/api/users/me/files", ana).json()) == 2


def test_a_slow_client_is_waited_for(chat: Chat) -> None:
    ana = chat.user()
    body = form(file_part(b"despacio " * 20))
    with open_connection(chat) as connection:
        connection.sendall(request_head(chat, ana, "/api/uploads/", f"Content-Length: {len(body)}"))
        for byte in body:
            connection.sendall(bytes([byte]))
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 201"), answer


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
def test_a_client_that_goes_away_leaves_nothing(chat: Chat, store: Store, *, reset: bool) -> None:
    ana = chat.user()
    process = psutil.Process(chat.server.process.pid)
    before, files_before = store.names(), process.num_fds()
    start = form(file_part(b"|")).split(b"|")[0]
    for sent in (b"", start[:20], start, start + b"a" * 3_000_000):
        connection = open_connection(chat)
        connection.sendall(request_head(chat, ana, "/api/uploads/", "Content-Length: 9000000") + sent)
        if len(sent) > 1_000_000 and isinstance(store, FolderStore):
            wait_until(lambda: store.names() != before, "the file to be begun")
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    wait_until(lambda: store.names() == before, "everything to be gone")
    wait_until(lambda: process.num_fds() <= files_before + 2, "every file to be closed")
    assert chat.get("/api/users/me/files", ana).json() == []
    waiting = chat.database.value("select count(*) from pending_objects")
    assert waiting == 0 or wait_until(
        lambda: chat.database.value("select count(*) from pending_objects") == 0, "nothing to be announced"
    )


def test_uploads_of_one_user_wait_for_each_other_and_not_for_others(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    held = []
    try:
        for _ in range(20):
            connection = open_connection(chat)
            connection.sendall(request_head(chat, ana, "/api/uploads/", "Content-Length: 9000") + b"--x")
            held.append(connection)
        files = {"file": ("a.txt", b"hola", "text/plain")}
        assert chat.post("/api/uploads/", beto, files=files).status_code == 201
        with ThreadPoolExecutor(1) as executor:
            url, headers = f"{chat.server.base_url}/api/uploads/", ana.headers
            late = executor.submit(httpx.post, url, headers=headers, files=files, timeout=30, trust_env=False)
            assert chat.post("/api/uploads/", beto, files=files).status_code == 201
            for connection in held:
                connection.close()
            assert late.result().status_code == 201
    finally:
        for connection in held:
            connection.close()


def test_memory_stays_small(servers: ServerPool, tmp_path: Path) -> None:
    """Ten uploads of ten megabytes at once, read no faster than the disk takes them."""
    chat = servers.prepare(settings={"UPLOAD_PATH": str(tmp_path / "objects")})
    chat.server.start()
    ana = chat.user()
    process = psutil.Process(chat.server.process.pid)

    def upload(size: int) -> int:
        headers = {"Content-Type": CONTENT_TYPE, **ana.headers}
        with httpx.Client(base_url=chat.server.base_url, timeout=60, trust_env=False) as client:
            return client.post("/api/uploads/", content=large_form(size), headers=headers).status_code

    assert upload(1_000_000) == 201
    base = process.memory_info().rss
    peak = base
    with ThreadPoolExecutor(10) as executor:
        uploads = [executor.submit(upload, 10 * 1024 * 1024) for _ in range(10)]
        while not all(done.done() for done in uploads):
            peak = max(peak, process.memory_info().rss)
        assert [done.result() for done in uploads] == [201] * 10
    assert peak - base < 10 * 4 * 1024 * 1024, f"{(peak - base) / 1024:.0f} kB more"


def test_a_form_whose_end_never_comes_is_bounded(chat: Chat, store: Store) -> None:
    """A file that is complete counts only with the end of the form."""
    ana = chat.user()
    before = store.names()
    with open_connection(chat) as connection:
        body = file_part(b"completo") + f"--{BOUNDARY}".encode()
        connection.sendall(request_head(chat, ana, "/api/uploads/", "Content-Length: 90000") + body)
        wait_until(lambda: store.names() != before, "the object to be written")
        assert chat.get("/api/users/me/files", ana).json() == []
    wait_until(lambda: store.names() == before, "the object to be gone")


def test_a_file_that_cannot_be_written_does_not_keep_the_others_out(servers: ServerPool) -> None:
    chat = servers.prepare(owned=False)
    chat.server.start()
    ana = chat.user()
    # What a full disk looks like, to files of some size.
    resource.prlimit(chat.server.process.pid, resource.RLIMIT_FSIZE, (8_000_000, -1))
    files = [("files", (name, b"x" * size, "text/plain")) for name, size in (("a", 9), ("b", 9_000_000), ("c", 9))]
    answer = chat.post("/api/uploads/multiple", ana, files=files)
    assert answer.status_code == 200
    report = answer.json()
    assert [file["original_filename"] for file in report["uploaded_files"]] == ["a", "c"]
    assert report["errors"] == [{"filename": "b", "error": "Error subiendo archivo"}]
    assert "the file 'b' of an upload was not stored" in chat.server.log
    single = chat.post("/api/uploads/", ana, files=[("file", files[1][1])])
    assert (single.status_code, single.json()) == (500, {"detail": "Error subiendo archivo"})
    chat.server.stop()
