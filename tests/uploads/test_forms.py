"""What a form may look like, and what it is told otherwise (contract sections 7.1 and 7.2)."""

import json
import re
from itertools import repeat

import httpx
import pytest
from harness.chat import Chat, User
from harness.forms import (
    BOUNDARY,
    CONTENT_TYPE,
    file_part,
    form,
    in_pieces,
    open_connection,
    part,
    request_head,
    send_until_answered,
)
from harness.stores import Store

MISSING = {"type": "missing", "msg": "Field required", "input": None}
DAMAGED = {"detail": "There was an error parsing the body"}


def send(
    chat: Chat, user: User, body: bytes, path: str = "/api/uploads/", content_type: str = CONTENT_TYPE
) -> httpx.Response:
    return chat.post(path, user, content=body, headers={"Content-Type": content_type})


def send_file(chat: Chat, user: User, name: str, content: bytes, content_type: str) -> httpx.Response:
    return chat.post("/api/uploads/", user, files={"file": (name, content, content_type)})


def test_a_file_is_stored_under_a_name_of_its_own(chat: Chat, store: Store) -> None:
    ana = chat.user()
    answer = send(chat, ana, form(part('name="description"', b"se ignora", None), file_part(b"contenido")))
    assert answer.status_code == 201
    file = answer.json()
    key = re.search(r"\d{4}/\d\d/\d\d/[0-9a-f-]{36}\.txt$", file["public_url"])
    assert key is not None, file["public_url"]
    assert key[0].endswith("/" + file["stored_filename"])
    assert store.read(key[0]) == b"contenido"
    assert httpx.get(file["public_url"], trust_env=False).content == b"contenido", (
        "readable by anybody, without a token"
    )
    assert chat.get(f"/api/uploads/{file['id']}", ana).json() == file
    assert chat.get("/api/users/me/files", ana).json() == [file]


@pytest.mark.parametrize(
    ("path", "field", "body", "content_type"),
    [
        ("/api/uploads/", "file", b"", "text/plain"),
        ("/api/uploads/", "file", b'{"file":"x"}', "application/json"),
        ("/api/uploads/", "file", b"file=x", "application/x-www-form-urlencoded"),
        ("/api/uploads/", "file", form(), CONTENT_TYPE),
        ("/api/uploads/", "file", form(file_part(field="archivo")), CONTENT_TYPE),
        ("/api/uploads/", "file", form(part('name="file"', b"texto", None)), CONTENT_TYPE),
        ("/api/uploads/multiple", "files", form(file_part(field="file")), CONTENT_TYPE),
    ],
)
def test_a_form_without_the_file_is_a_422(chat: Chat, path: str, field: str, body: bytes, content_type: str) -> None:
    answer = send(chat, chat.user(), body, path, content_type)
    assert (answer.status_code, answer.json()) == (422, {"detail": [{**MISSING, "loc": ["body", field]}]})


NESTED = (
    f"--{BOUNDARY}\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\nx\r\n--inner--\r\n".encode()
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no es un formulario",
        b"--otro\r\n\r\n\r\n--otro--\r\n",
        file_part(b"cortado"),
        form(file_part())[:-6],
        f"--{BOUNDARY}\r\n".encode() + b"X: " + b"x" * 2_000_000,
        b"x" * 2_000_000,
        form(file_part(b"primero"), b"--limite-de-prueba\r\nsin dos puntos\r\n\r\nx\r\n"),
    ],
    ids=["empty", "text", "other boundary", "cut off", "end cut off", "endless head", "endless", "bad head"],
)
def test_a_broken_form_is_a_400_and_nothing_stays(chat: Chat, store: Store, body: bytes) -> None:
    ana = chat.user()
    before = store.names()
    answer = send(chat, ana, body)
    assert (answer.status_code, answer.json()) == (400, DAMAGED)
    assert chat.get("/api/users/me/files", ana).json() == []
    assert store.names() == before


def test_a_boundary_is_needed(chat: Chat) -> None:
    answer = send(chat, chat.user(), form(file_part()), content_type="multipart/form-data")
    assert (answer.status_code, answer.json()) == (400, {"detail": "Missing boundary in multipart."})


def test_nested_forms_hold_no_file(chat: Chat) -> None:
    answer = send(chat, chat.user(), form(NESTED))
    assert answer.status_code == 422


def test_a_million_fields_are_refused_early(chat: Chat, store: Store) -> None:
    ana = chat.user()
    before = store.names()
    fields = part('name="a"', b"", None) * 1000
    with open_connection(chat) as connection:
        connection.sendall(request_head(chat, ana, "/api/uploads/", "Transfer-Encoding: chunked"))
        sent, status, answer = send_until_answered(connection, repeat(fields, 1000))
    assert (status, json.loads(answer)) == (400, DAMAGED)
    assert sent < 500 * len(fields), "the answer comes while the form is still being sent"
    assert store.names() == before


@pytest.mark.parametrize("body", [b"x", form(file_part())])
def test_the_caller_is_looked_at_before_the_body(chat: Chat, body: bytes) -> None:
    headers = {"Content-Type": CONTENT_TYPE, "Authorization": "Bearer x.y.z"}
    for path in ("/api/uploads/", "/api/uploads/multiple"):
        assert chat.post(path, content=body, headers=headers).status_code == 401
        without = {"Content-Type": CONTENT_TYPE}
        assert chat.post(path, content=body, headers=without).json() == {"detail": "Not authenticated"}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("documento ñ.txt", "documento ñ.txt"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("C:\\temp\\nota.txt", "C:\\temp\\nota.txt"),
        ("日本語 😀.txt", "日本語 😀.txt"),
        ("a\u202egpj.txt", "agpj.txt"),
        ("a\0b.txt", "ab.txt"),
        ("   ", "file"),
        ("x" * 1000, "x" * 255),
    ],
)
def test_names_are_for_display_only(chat: Chat, store: Store, sent: str, shown: str) -> None:
    ana = chat.user()
    disposition = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\nContent-Type: text/plain\r\n'
    head = disposition % (BOUNDARY.encode(), sent.encode())
    answer = send(chat, ana, form(head + b"\r\nhola\r\n"))
    if "\0" in sent:
        # No header may hold it.
        assert answer.status_code in {201, 400}
        if answer.status_code == 400:
            return
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert file["original_filename"] == shown
    assert re.fullmatch(r"[0-9a-f-]{36}\.txt", file["stored_filename"])
    assert any(name.endswith(file["stored_filename"]) for name in store.names())


def test_a_name_in_the_extended_form(chat: Chat) -> None:
    body = form(part("name=\"file\"; filename*=UTF-8''a%C3%B1o%20nuevo.txt"))
    assert send(chat, chat.user(), body).json()["original_filename"] == "año nuevo.txt"


# Of the registered types: the beginning of such a file.
CONTENTS = {
    "application/zip": b"PK\x03\x04resto de un zip",
    "application/pdf": b"%PDF-1.7\n%resto de un pdf",
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(40),
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "audio/mpeg": b"ID3\x03" + bytes(40),
    "audio/wav": b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40),
    "audio/ogg": b"OggS" + bytes(40),
    "video/avi": b"RIFF\x24\x00\x00\x00AVI LIST" + bytes(40),
}


def test_types_of_browsers_and_parameters_are_understood(chat: Chat) -> None:
    ana = chat.user()
    for declared, stored in [
        ("text/plain; charset=utf-8", "text/plain"),
        ("Text/PLAIN", "text/plain"),
        ("application/x-zip-compressed", "application/zip"),
        ("image/jpg", "image/jpeg"),
        ("image/pjpeg; q=1", "image/jpeg"),
        ("Image/X-PNG", "image/png"),
        ("audio/mp3", "audio/mpeg"),
        ("audio/x-mpeg", "audio/mpeg"),
        ("audio/vnd.wave", "audio/wav"),
        ("application/ogg", "audio/ogg"),
        ("video/vnd.avi", "video/avi"),
        ("application/x-pdf", "application/pdf"),
        ("text/comma-separated-values", "text/csv"),
    ]:
        content = CONTENTS.get(stored, "año".encode())
        answer = send_file(chat, ana, "a", content, declared)
        assert (answer.status_code, answer.json()["content_type"]) == (201, stored)


def test_a_part_without_a_type_is_none(chat: Chat) -> None:
    answer = send(chat, chat.user(), form(file_part(content_type=None)))
    assert (answer.status_code, answer.json()) == (400, {"detail": "Tipo de archivo no permitido: None"})


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("image/png", b"<html><script>alert(1)</script></html>"),
        ("image/jpeg", b"GIF89a" + bytes(40)),
        ("application/pdf", b"MZ" + bytes(2000)),
        ("text/plain", b"binario \xff\xfe\x00"),
        ("text/csv", b"a;b\0c"),
        ("image/svg+xml", b"<html><svg/></html>"),
        ("video/mp4", b"RIFF" + bytes(40)),
        ("image/jpg", b"GIF89a" + bytes(40)),
        ("audio/mp3", b"OggS" + bytes(40)),
        ("application/x-pdf", b"MZ" + bytes(2000)),
        ("application/zip", b"7z\xbc\xaf\x27\x1c" + bytes(40)),
    ],
)
def test_content_of_another_type_is_refused(chat: Chat, store: Store, declared: str, content: bytes) -> None:
    ana = chat.user()
    before = store.names()
    answer = send_file(chat, ana, "a", content, declared)
    assert (answer.status_code, answer.json()) == (400, {"detail": f"Tipo de archivo no permitido: {declared}"})
    assert store.names() == before
    assert chat.get("/api/users/me/files", ana).json() == []


def test_empty_files_pass(chat: Chat, store: Store) -> None:
    answer = send_file(chat, chat.user(), "vacio.pdf", b"", "application/pdf")
    assert (answer.status_code, answer.json()["file_size"]) == (201, 0)
    assert any(name.endswith(answer.json()["stored_filename"]) for name in store.names())


def test_of_several_files_in_the_single_form_the_last_counts(chat: Chat, store: Store) -> None:
    ana = chat.user()
    before = store.names()
    answer = send(chat, ana, form(file_part(b"uno", name="1.txt"), file_part(b"dos", name="2.txt")))
    assert (answer.status_code, answer.json()["original_filename"]) == (201, "2.txt")
    assert len(store.names()) == len(before) + 1
    refused = send(chat, ana, form(file_part(b"uno"), file_part(b"<b>", name="x.html", content_type="text/html")))
    assert refused.status_code == 400
    assert len(store.names()) == len(before) + 1


def test_several_files_with_mixed_outcomes(chat: Chat, store: Store) -> None:
    ana = chat.user()
    before = store.names()
    body = form(
        file_part(b"uno", field="files", name="1.txt"),
        file_part(b"<b>", field="files", name="2.html", content_type="text/html"),
        file_part(b"\x89PNG\r\n\x1a\n corto", field="files", name="3.png", content_type="image/png"),
        file_part(b"no es un png", field="files", name="4.png", content_type="image/png"),
        file_part(b"cinco", field="files", name="5.txt"),
    )
    answer = send(chat, ana, body, "/api/uploads/multiple")
    assert answer.status_code == 200
    report = answer.json()
    assert list(report) == ["uploaded_files", "total_uploaded", "total_files", "errors"]
    assert [file["original_filename"] for file in report["uploaded_files"]] == ["1.txt", "3.png", "5.txt"]
    assert (report["total_uploaded"], report["total_files"]) == (3, 5)
    assert report["errors"] == [
        {"filename": "2.html", "error": "Tipo de archivo no permitido: text/html"},
        {"filename": "4.png", "error": "Tipo de archivo no permitido: image/png"},
    ]
    assert len(store.names()) == len(before) + 3
    listed = [file["id"] for file in chat.get("/api/uploads/", ana).json()["files"]]
    assert listed == [file["id"] for file in reversed(report["uploaded_files"])]


def test_all_refused_is_a_200_too(chat: Chat) -> None:
    body = form(file_part(field="files", content_type="text/html"))
    report = send(chat, chat.user(), body, "/api/uploads/multiple").json()
    assert (report["uploaded_files"], report["total_uploaded"], report["total_files"]) == ([], 0, 1)


def test_the_eleventh_file_refuses_them_all(chat: Chat, store: Store) -> None:
    ana = chat.user()
    before = store.names()
    body = form(*(file_part(field="files", name=f"{number}.txt") for number in range(11)))
    answer = send(chat, ana, body, "/api/uploads/multiple")
    assert (answer.status_code, answer.json()) == (400, {"detail": "Máximo 10 archivos por vez"})
    assert store.names() == before
    assert chat.get("/api/users/me/files", ana).json() == []
    assert (
        send(chat, ana, form(*(file_part(field="files") for _ in range(10))), "/api/uploads/multiple").json()[
            "total_uploaded"
        ]
        == 10
    )


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_form_may_come_in_any_pieces(chat: Chat, size: int) -> None:
    content = bytes(range(32, 127)) * 50 + b"\r\n--limite-de-prueb\r\n--"
    body = form(part('name="x"', b"y", None), file_part(content))
    if size < 10:
        body = form(file_part(b"\r\n--limite-de-prueb\r\n-"))
    answer = chat.post(
        "/api/uploads/", chat.user(), content=in_pieces(body, size), headers={"Content-Type": CONTENT_TYPE}
    )
    assert answer.status_code == 201
    wanted = content if size >= 10 else b"\r\n--limite-de-prueb\r\n-"
    assert httpx.get(answer.json()["public_url"], trust_env=False).content == wanted
