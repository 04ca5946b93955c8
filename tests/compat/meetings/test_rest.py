"""REST of meetings: sections 1 and 2 of its contract."""

import re
import time

import httpx
import pytest
from harness.chat import SECRET_KEY, unique
from harness.siblings import UNKNOWN_ID, WEBRTC_SECRET, Sibling, external_token, is_error

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NOT_FOUND = {"error": "Reunión no encontrada"}


def test_a_meeting_from_beginning_to_end(meetings: Sibling) -> None:
    ana, beto = unique("u"), unique("u")
    ours, theirs = external_token(userId=ana, email="ana@x.io"), external_token(userId=beto, exp=time.time() + 60)
    made = meetings.post("/api/meetings", ours)
    assert made.status_code == 201
    meeting = made.json()["meeting"]
    assert list(made.json()) == ["meeting"]
    assert list(meeting) == ["id", "creatorId", "status", "createdAt"]
    assert re.fullmatch(r"[A-Za-z0-9]{20}", meeting["id"])
    assert (meeting["creatorId"], meeting["status"]) == (ana, "active")
    assert TIME.fullmatch(meeting["createdAt"])
    path = f"/api/meetings/{meeting['id']}"
    assert is_error(meetings.get(path, theirs), 200, {"meeting": meeting})
    refused = meetings.put(f"{path}/end", theirs)
    assert is_error(refused, 403, {"error": "Solo el creador puede finalizar la reunión"})
    for _ in range(2):
        assert is_error(meetings.put(f"{path}/end", ours), 200, {"message": "Reunión finalizada"})
    assert is_error(meetings.get(f"{path}/", theirs), 200, {"meeting": {**meeting, "status": "ended"}})


def test_the_origin_serves_them_too(meetings: Sibling) -> None:
    http, headers = meetings.chat.http, {"Authorization": f"Bearer {external_token(userId='u1')}"}
    meeting = http.post("/api/meetings/", headers=headers).json()["meeting"]
    path = f"/api/meetings/{meeting['id']}"
    assert http.get(path, headers=headers).json() == {"meeting": meeting}
    assert http.put(f"{path}/end", headers=headers).status_code == 200
    assert is_error(http.get("/api/meetings/x/y", headers=headers), 404, {"error": "Ruta no encontrada"})


@pytest.mark.parametrize("body", [b"", b"{}", b"[1", b"\xff\x00", b'{"creatorId":"u2","status":"ended"}'])
def test_bodies_are_ignored(meetings: Sibling, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    made = meetings.post("/api/meetings", external_token(userId="u1"), content=body, headers=headers)
    assert made.status_code == 201
    assert (made.json()["meeting"]["creatorId"], made.json()["meeting"]["status"]) == ("u1", "active")


def test_ids_differ(meetings: Sibling) -> None:
    token = external_token(userId="u1")
    assert len({meetings.post("/api/meetings", token).json()["meeting"]["id"] for _ in range(20)}) == 20


@pytest.mark.parametrize("meeting", [UNKNOWN_ID, "x", "%00", "😀", "a" * 3000, "k3Jx9mQ2ZtY7bLwA0cDe"])
def test_meetings_nobody_knows(meetings: Sibling, meeting: str) -> None:
    token = external_token(userId="u1")
    assert is_error(meetings.get(f"/api/meetings/{meeting}", token), 404, NOT_FOUND)
    assert is_error(meetings.put(f"/api/meetings/{meeting}/end", token), 404, NOT_FOUND)


def call_all(meetings: Sibling, headers: dict[str, str]) -> list[httpx.Response]:
    return [
        meetings.post("/api/meetings", headers=headers),
        meetings.get("/api/meetings/x", headers=headers),
        meetings.put("/api/meetings/x/end", headers=headers),
    ]


@pytest.mark.parametrize("header", [None, "", "Bearer", "abc", "Bearer  abc"])
def test_no_token(meetings: Sibling, header: str | None) -> None:
    for answer in call_all(meetings, {} if header is None else {"Authorization": header}):
        assert is_error(answer, 401, {"error": "Token de acceso requerido"})


def test_bad_tokens(meetings: Sibling) -> None:
    now = int(time.time())
    for token in (
        "abc",
        external_token(secret=SECRET_KEY, userId="u1"),
        external_token(algorithm="none", userId="u1"),
        external_token(algorithm="HS512", userId="u1"),
        external_token(userId="u1", exp=now - 5),
        external_token(userId="u1", nbf=now + 60),
        external_token(userId="u1", realm="webrtc"),
        external_token(secret=WEBRTC_SECRET, userId="u1", realm="webrtc", exp=now + 60),
    ):
        for answer in call_all(meetings, {"Authorization": f"Bearer {token}"}):
            assert is_error(answer, 403, {"error": "Token inválido"})


@pytest.mark.parametrize("user_id", [None, "", 5, ["u1"], {"a": 1}, "a\0b"])
def test_tokens_for_nobody(meetings: Sibling, user_id: object) -> None:
    for answer in call_all(meetings, {"Authorization": f"Bearer {external_token(userId=user_id, email='a@b.c')}"}):
        assert is_error(answer, 401, {"error": "Usuario no autenticado"})


def test_the_scheme_word_does_not_matter(meetings: Sibling) -> None:
    headers = {"Authorization": f"Whatever {external_token(userId='u1')} more"}
    assert meetings.post("/api/meetings", headers=headers).status_code == 201


def test_izpochat_accounts_may_hold_meetings(meetings: Sibling) -> None:
    ana = meetings.chat.user()
    meeting = meetings.post("/api/meetings", ana.token).json()["meeting"]
    assert meeting["creatorId"] == str(ana.id)
    assert meetings.put(f"/api/meetings/{meeting['id']}/end", ana.token).status_code == 200
    locked = meetings.chat.user(active=False)
    assert is_error(meetings.post("/api/meetings", locked.token), 403, {"error": "Token inválido"})


def test_other_paths(meetings: Sibling) -> None:
    for path in ("", "/"):
        welcome = meetings.get(path)
        assert (welcome.status_code, welcome.text) == (
            200,
            "🚀 Backend de chat para RealTime funcionando correctamente.",
        )
        assert welcome.headers["content-type"].startswith("text/html")
    for path in ("/debug", "/health", "/api", "/api/meetings/x/end/y"):
        assert is_error(meetings.get(path), 404, {"error": "Ruta no encontrada"})
    answer = meetings.get("/api/meetings")
    assert is_error(answer, 405, {"error": "Método no permitido"})
    assert answer.headers["allow"] == "POST"
