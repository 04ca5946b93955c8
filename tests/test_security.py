"""One test for each security hole of the original, named after its number in section 13 of the contract.

Not here: S4 and S9 (``uploads/``), S7 and S13 (left as they are), S17 (``test_startup``).
"""

import json
import statistics
import time

import pytest
from harness.chat import PASSWORD, PASSWORD_HASH, Chat, unique
from harness.pool import FORBIDDEN, ServerPool

INTERNALS = (
    "select",
    "insert",
    "sql",
    "psycopg",
    "diesel",
    "sqlite",
    "postgres",
    "traceback",
    "rust",
    "serde",
    "panick",
)


def test_s1_private_rooms_are_private(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    room = chat.room(ana, private=True)
    assert chat.get(f"/api/rooms/{room}/messages", eva).status_code == 403
    assert chat.post(f"/api/rooms/{room}/messages", eva, json={"content": "x"}).status_code == 403
    assert chat.refused(room, eva.token)[0] == 403


def test_s2_nobody_joins_a_private_room_by_its_id(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    room = chat.room(ana, private=True)
    answer = chat.post(f"/api/rooms/{room}/join", eva, json={})
    assert (answer.status_code, answer.json()) == (403, {"detail": "Access denied to this room"})
    assert chat.get(f"/api/rooms/{room}", eva).status_code == 403


def test_s3_error_frames_show_nothing_of_the_inside(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    for raw in ("{", "[]", '{"content":5}', '{"content":"x","file_id":99999999}', '{"content":"\\u0000"}'):
        socket.send_raw(raw)
        text = socket.expect("error")["message"].lower()
        assert not [word for word in INTERNALS if word in text], text


def test_s5_a_null_flag_harms_nobody(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(beto)
    chat.join(room, ana)
    assert chat.put("/api/users/me", beto, json={"is_active": None}).status_code == 200
    assert chat.put(f"/api/rooms/{room}", beto, json={"is_private": None}).status_code == 200
    for path in ("/api/users/?limit=1000", "/api/rooms/?limit=1000", "/api/users/me/rooms"):
        assert chat.get(path, ana).status_code == 200


def test_s6_a_token_stays_with_its_account(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    stolen = chat.log_in(ana.username).json()["access_token"]
    assert chat.put("/api/users/me", ana, json={"username": unique("ana")}).status_code == 200
    assert chat.put("/api/users/me", eva, json={"username": ana.username}).status_code == 200
    assert chat.get("/api/users/me", headers={"Authorization": f"Bearer {stolen}"}).status_code == 401
    room = chat.room(chat.user())
    assert chat.refused(room, stolen)[0] == 403


def test_s8_files_of_others_are_closed(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    file_id = chat.store_file(ana)
    room = chat.room(eva)
    assert chat.get(f"/api/uploads/{file_id}", eva).status_code == 403
    assert chat.post(f"/api/rooms/{room}/messages", eva, json={"content": "x", "file_id": file_id}).status_code == 403
    socket = chat.connect(room, eva)
    socket.say("x", file_id=file_id)
    socket.expect_error("No tienes acceso a este archivo")


@pytest.mark.parametrize("transport", ["handoff", "asgi"])
def test_s10_tokens_do_not_reach_the_log(servers: ServerPool, transport: str) -> None:
    chat = servers.prepare("sqlite", "--log-level", "debug", transport=transport)
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    chat.connect(room, ana).say("hola")
    assert chat.refused(room, ana.token + "x")[0] == 403
    assert chat.get(f"/api/ws/rooms/{room}/online", params={"token": ana.token}).status_code == 200
    assert chat.get("/nowhere", params={"a": 1, "token": ana.token}).status_code == 404
    assert chat.get("/health", params={"TOKEN": "visible-secret"}).status_code == 200
    assert ana.token not in chat.server.log
    assert ana.token.split(".")[2] not in chat.server.log
    assert "/online?token=" in chat.server.log, "the access log itself is kept"


def test_s11_unknown_users_cost_as_much_as_wrong_passwords(chat: Chat) -> None:
    known = chat.register()
    taken: dict[str, list[float]] = {known.username: [], unique("nobody"): []}
    for _ in range(3):
        for username, seconds in taken.items():
            started = time.perf_counter()
            assert chat.log_in(username, "mala").status_code == 401
            seconds.append(time.perf_counter() - started)
    wrong, unknown = (statistics.median(seconds) for seconds in taken.values())
    assert 0.5 < unknown / wrong < 2


def test_s12_passwords_are_not_echoed(chat: Chat) -> None:
    for body in ({"password": PASSWORD}, {"username": 1, "password": PASSWORD}, {"password": [PASSWORD]}, [PASSWORD]):
        for path in ("/api/users/login", "/api/users/register"):
            answer = chat.post(path, json=body)
            assert answer.status_code == 422
            if isinstance(body, dict):
                assert PASSWORD not in answer.text


def test_s15_only_listed_origins_get_credentials(chat: Chat) -> None:
    answer = chat.get("/health", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_s16_a_deactivated_user_cannot_go_on_writing(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    socket = chat.connect(room, beto)
    assert chat.put("/api/users/me", beto, json={"is_active": False}).status_code == 200
    assert socket.expect_closed()[0] == 1008
    assert chat.history(room, ana) == []


def test_s18_debug_logs_no_secrets(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", "--log-level", "debug", settings={"DEBUG": "true"})
    chat.server.start()
    ana = chat.register(password="otra-clave-secreta")
    assert chat.log_in(ana.username, "otra-clave-secreta").status_code == 200
    socket = chat.connect(chat.room(ana), ana)
    socket.say("un texto privado")
    socket.expect("message")
    for secret in ("otra-clave-secreta", "un texto privado", ana.token, PASSWORD_HASH[:7]):
        assert secret not in chat.server.log
    assert FORBIDDEN.search(chat.server.log) is None


def test_s19_texts_have_bounds_above_what_clients_need(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    assert chat.say(room, ana, "x" * 100_000)["content"] == "x" * 100_000
    huge = json.dumps({"content": "x" * 1_000_000})
    assert chat.post(f"/api/rooms/{room}/messages", ana, content=huge).status_code in {413, 422}
    assert chat.post("/api/rooms/", ana, json={"name": "x" * 100_000}).status_code == 422
    socket = chat.connect(room, ana)
    socket.send_raw(huge)
    socket.expect("error")
    socket.expect_quiet()
