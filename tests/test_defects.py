"""One test for each defect of the original, named after its number in section 12 of the contract.

Not here: D4, D19, half of D21, D25 (``uploads/``), D20 and D22 (``test_startup``), D24 (``test_single_process``),
D28 (``test_existing_databases``).
"""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime

import psycopg
from harness.chat import PASSWORD, Chat, unique
from harness.database import Database
from harness.pool import ServerPool
from harness.postgres import PostgresAccess
from harness.postgres_wire import CountingProxy
from harness.waiting import wait_until

ORIGIN = "http://localhost:3000"


def test_d1_every_404_is_json_with_cors_headers_and_keeps_the_connection(chat: Chat) -> None:
    ana = chat.user()
    bodies = {
        "/nowhere": {"error": "Endpoint no encontrado", "status_code": 404},
        "/api/rooms/999999999": {"detail": "Sala no encontrada"},
        "/api/users/999999999": {"detail": "User not found"},
        "/api/uploads/999999999": {"detail": "Archivo no encontrado"},
    }
    for path, body in bodies.items():
        answer = chat.get(path, ana, headers={"Origin": ORIGIN})
        assert (answer.status_code, answer.json()) == (404, body)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers.get("connection") != "close"


def test_d2_requests_that_touch_the_database_are_served(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    chat.say(room, ana, "x")
    for path in ("/api/users/me", "/api/rooms/", f"/api/rooms/{room}/messages", "/api/users/me/files"):
        assert chat.get(path, ana).status_code == 200


def test_d3_a_socket_message_with_a_file_reaches_everybody(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    sockets = chat.connect_all(chat.room(ana), ana, beto)
    file_id = chat.store_file(ana)
    sockets[0].say("mira", file_id=file_id)
    assert [socket.expect("message")["file"]["id"] for socket in sockets] == [file_id] * 2


def test_d5_rest_messages_keep_their_file(chat: Chat) -> None:
    ana = chat.user()
    room, file_id = chat.room(ana), chat.store_file(ana)
    chat.say(room, ana, "mira", file_id=file_id)
    assert chat.history(room, ana)[0]["file"]["id"] == file_id


def test_d6_open_sockets_hold_no_database_connection(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    started = time.monotonic()
    sockets = [chat.connect(room, ana) for _ in range(40)]
    assert time.monotonic() - started < 10
    assert chat.get("/api/users/me", ana).status_code == 200
    chat.expect_nothing(room, ana, *sockets)


def test_d7_each_socket_message_has_its_own_time(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    times = []
    for _ in range(3):
        socket.say("x")
        times.append(datetime.fromisoformat(socket.expect("message")["timestamp"]))
        # The clock decides when the next one is sent, so that stale times would show.
        wait_until(lambda: datetime.now(times[-1].tzinfo) > times[-1], "the clock to move on")
    assert times == sorted(set(times))
    assert [item["created_at"] for item in chat.history(room, ana)] == [
        at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z") for at in times
    ]


def test_d8_an_error_on_a_socket_harms_nothing_that_follows(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    observer, socket = chat.connect_all(chat.room(ana), ana, beto)
    for content, file_id in (("x", 999_999_999), ("a\x00b", None), ("\ud800", None)):
        socket.say(content, file_id=file_id)
        socket.expect("error")
        socket.expect_quiet()
    socket.say("works")
    assert socket.expect("message")["content"] == observer.expect("message")["content"] == "works"
    socket.close()
    assert observer.expect("user_left")["user_id"] == beto.id


def test_d9_a_second_socket_displaces_nothing(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer, first, second = chat.connect_all(room, ana, beto, beto)
    second.close()
    chat.expect_nothing(room, ana, observer, first)


def test_d10_a_refused_handshake_is_silent(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    room = chat.room(ana, private=True)
    owner = chat.connect(room, ana)
    assert chat.refused(room, eva.token)[0] == 403
    chat.expect_nothing(room, ana, owner)
    assert "ERROR" not in chat.server.log


def test_d11_the_online_list_reads_the_header(chat: Chat) -> None:
    ana = chat.user()
    assert chat.get(f"/api/ws/rooms/{chat.room(ana)}/online", ana).status_code == 200


def test_d12_no_redirect_for_either_slash(chat: Chat) -> None:
    ana = chat.user()
    for path in (
        "/api/rooms",
        "/api/rooms/",
        "/api/users",
        "/api/users/",
        "/api/users/me/",
        f"/api/rooms/{chat.room(ana)}/",
    ):
        assert chat.get(path, ana, headers={"Host": "evil.example"}).status_code == 200


def test_d13_null_for_a_mandatory_field_is_no_server_error(chat: Chat) -> None:
    ana = chat.user()
    body = {"username": None, "email": None, "is_active": None}
    assert chat.put("/api/users/me", ana, json=body).status_code == 200
    assert chat.put(f"/api/rooms/{chat.room(ana)}", ana, json={"name": None, "is_private": None}).status_code == 200


def test_d14_paging_out_of_range_is_no_server_error(chat: Chat) -> None:
    for query in ("skip=-1", "limit=-1", f"skip={2**63}", f"limit={2**63}", f"skip={2**63 - 1}&limit={2**63 - 1}"):
        assert chat.get(f"/api/rooms/?{query}").status_code in {200, 422}, query


def test_d15_nul_and_lone_surrogates_are_no_server_error(chat: Chat) -> None:
    ana = chat.user()
    for text in (b'{"name":"a\\u0000"}', b'{"name":"\\ud800"}'):
        assert chat.post("/api/rooms/", ana, content=text).status_code == 422


def test_d16_of_racing_registrations_one_wins(chat: Chat) -> None:
    name = unique("race")
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    with ThreadPoolExecutor(4) as executor:
        answers = list(executor.map(lambda _: chat.post("/api/users/register", json=body), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]
    texts = {answer.json()["detail"] for answer in answers if answer.status_code == 400}
    assert texts <= {"Email already registered", "Username already taken"}


def test_d17_racing_joins_leave_one_membership(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    with ThreadPoolExecutor(10) as executor:
        answers = list(executor.map(lambda _: chat.post(f"/api/rooms/{room}/join", beto), range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert sorted("exitosamente" in answer.text for answer in answers) == [False] * 9 + [True]
    count = "select count(*) from user_rooms where room_id = ? and user_id = ?"
    assert chat.database.value(count, room, beto.id) == 1
    assert chat.post(f"/api/rooms/{room}/leave", beto).status_code == 200
    assert chat.database.value(count, room, beto.id) == 0


def test_d17_old_doubled_memberships_are_listed_once_and_all_removed(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    for _ in range(3):
        chat.database.rows("insert into user_rooms (user_id, room_id) values (?, ?)", beto.id, room)
    assert [member["id"] for member in chat.get(f"/api/rooms/{room}/members", ana).json()] == [ana.id, beto.id]
    assert len(chat.get(f"/api/rooms/{room}", ana).json()["members"]) == 2
    assert [one["id"] for one in chat.get("/api/users/me/rooms", beto).json()] == [room]
    assert chat.post(f"/api/rooms/{room}/leave", beto).status_code == 200
    assert chat.database.rows("select user_id from user_rooms where room_id = ?", room) == [(ana.id,)]


def test_d18_null_flags_and_ownerless_rooms_break_no_list(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    null_flag, ownerless = chat.room(ana), chat.room(ana)
    chat.join(null_flag, beto)
    chat.join(ownerless, beto)
    chat.database.rows("update users set is_active = null where id = ?", beto.id)
    chat.database.rows("update rooms set is_private = null where id = ?", null_flag)
    chat.database.rows("update rooms set owner_id = null where id = ?", ownerless)
    assert chat.get(f"/api/users/{beto.id}", ana).json()["is_active"] is False
    listed = [room["id"] for room in chat.get("/api/rooms/", params={"limit": 1000}).json()]
    assert null_flag not in listed
    assert ownerless not in listed
    mine = {room["id"]: room for room in chat.get("/api/users/me/rooms", ana).json()}
    assert mine[null_flag]["is_private"] is False
    assert (mine[ownerless]["owner"], mine[ownerless]["owner_id"]) == (None, None)
    assert chat.say(ownerless, ana, "x")["room"]["owner"] is None
    assert chat.connect(ownerless, ana)


@contextmanager
def messages_locked(database: Database) -> Iterator[None]:
    """Nobody can write a message meanwhile."""
    if database.is_sqlite:
        with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            yield
            connection.execute("rollback")
        return
    with psycopg.connect(database.url) as connection:
        connection.execute("lock table messages in exclusive mode")
        yield
        connection.rollback()


def test_d21_a_slow_database_stops_nobody_else(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    writer, other = chat.connect_all(room, ana, ana)
    with ThreadPoolExecutor(1) as executor:
        with messages_locked(chat.database):
            writer.say("waits")
            sending = executor.submit(chat.say, room, ana, "waits too")
            for _ in range(20):
                started = time.monotonic()
                other.expect_quiet()
                assert chat.get("/health").status_code == 200
                assert chat.get(f"/api/rooms/{room}", ana).status_code == 200
                assert time.monotonic() - started < 1
            assert not sending.done()
        sending.result()
    assert {other.expect("message")["content"] for _ in range(2)} == {"waits", "waits too"}


def test_d23_long_passwords_are_no_server_error(chat: Chat) -> None:
    chat.register(password="x" * 100)


def test_d26_a_stored_value_that_is_no_hash_is_a_401(chat: Chat) -> None:
    assert chat.log_in(chat.user(hashed="md5").username).status_code == 401


def test_d27_lists_take_a_fixed_number_of_queries(servers: ServerPool, postgres: PostgresAccess) -> None:
    direct = Database(postgres.create_database())
    with CountingProxy(direct.url) as proxy:
        chat = servers.prepare("postgres", database=Database(f"{proxy.url}?sslmode=disable"))
        chat.server.start()
        chat.database = direct
        ana = chat.user()
        small, large = chat.room(ana), chat.room(ana)
        chat.say(small, ana, "x")
        members = [chat.user(f"m{number}") for number in range(25)]
        rows = [(member.id, room) for member in members for room in (large,)]
        direct.many("insert into user_rooms (user_id, room_id) values (?, ?)", rows)
        senders = [(f"message {number}", members[number % 25].id, large) for number in range(50)]
        direct.many("insert into messages (content, sender_id, room_id) values (?, ?, ?)", senders)

        def statements(path: str) -> int:
            # The second request is counted: the first may still prepare.
            chat.get(path, ana)
            return proxy.count(lambda: chat.get(path, ana))

        few = statements(f"/api/rooms/{small}/messages")
        assert statements(f"/api/rooms/{large}/messages") == few <= 8
        one = statements("/api/rooms/?limit=1")
        assert statements("/api/rooms/?limit=2") == one <= 4
        for _ in range(10):
            chat.room(ana)
        assert statements("/api/rooms/") == one
        assert statements("/api/users/me/rooms") <= 5
