"""PostgreSQL stops and comes back under the running service: requests get 503 meanwhile, sockets stay, all recovers."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from harness.chat import PASSWORD, Chat
from harness.database import Database
from harness.pool import ServerPool
from harness.postgres import PostgresCluster
from harness.waiting import wait_until


@pytest.fixture
def stoppable() -> Iterator[PostgresCluster]:
    """A server nobody else uses."""
    cluster = PostgresCluster()
    yield cluster
    cluster.close()


def assert_unavailable(chat: Chat, path: str, method: str = "GET", **options: Any) -> None:
    """A request gets 503, and soon."""
    started = time.monotonic()
    answer = chat.call(method, path, **options)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert isinstance(answer.json()["detail"], str)
    assert time.monotonic() - started < 8


def test_an_outage_is_survived(servers: ServerPool, stoppable: PostgresCluster) -> None:
    chat = servers.prepare("postgres", database=Database(stoppable.create_database()))
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    first, second = chat.connect_all(room, ana, beto)
    first.say("antes")
    assert first.expect("message")["id"] == second.expect("message")["id"]

    stoppable.stop()
    assert chat.get("/health").status_code == 200
    assert_unavailable(chat, "/api/users/me", headers=ana.headers)
    assert_unavailable(chat, "/api/rooms/", headers={"Origin": "http://localhost:3000"})
    login = {"username": ana.username, "password": PASSWORD}
    assert_unavailable(chat, "/api/users/login", "POST", json=login)
    assert_unavailable(chat, f"/api/rooms/{room}/messages", "POST", headers=ana.headers, json={"content": "x"})
    first.say("perdido")
    assert first.receive(20)["type"] == "error"
    first.expect_quiet()
    second.expect_quiet()

    stoppable.start()
    wait_until(lambda: chat.get("/api/users/me", ana).status_code == 200, "requests to be served again", 30)

    def stored_again() -> bool:
        first.say("después")
        return bool(first.receive(20)["type"] == "message")

    wait_until(stored_again, "messages to be stored again", 30)
    assert second.expect("message")["content"] == "después"
    assert [message["content"] for message in chat.history(room, beto)] == ["antes", "después"]
    third = chat.connect(room, ana)
    chat.expect_nothing(room, beto, first, second, third)
    assert chat.server.process.poll() is None, "the single-process lock was taken again"


def test_a_short_break_under_load_loses_and_doubles_nothing(servers: ServerPool, stoppable: PostgresCluster) -> None:
    chat = servers.prepare("postgres", database=Database(stoppable.create_database()))
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    writer = chat.connect(room, ana)
    shown = []
    refused = 0
    for number in range(120):
        if number == 40:
            stoppable.stop()
            stoppable.start()
        writer.say(str(number))
        frame = writer.receive(20)
        if frame["type"] == "message":
            assert frame["content"] == str(number)
            shown.append(frame["id"])
        else:
            refused += 1
    wait_until(lambda: chat.get("/api/users/me", ana).status_code == 200, "the service to recover", 30)
    writer.say("end")
    assert writer.receive(20)["content"] == "end"
    assert len(shown) >= 40
    assert len(shown) + refused == 120
    stored = [message["id"] for message in chat.history(room, ana)][:-1]
    assert stored == shown
