"""One process is the supported form: a second one on the same database stops with a message (D24).

A crash, a restart and a reload do not trip over that.
"""

import os
import re
import time

import pytest
from harness.chat import Chat
from harness.database import Database
from harness.pool import ServerPool, check_log
from harness.postgres import PostgresAccess
from harness.postgres_wire import TransactionPooler
from harness.processes import uvicorn_command
from harness.waiting import wait_until


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_second_process_on_the_same_database_is_refused(servers: ServerPool, kind: str) -> None:
    first = servers.prepare(kind)
    first.server.start()
    second = servers.prepare(kind, database=first.database)
    second.server.spawn()
    assert second.server.wait_end() != 0
    check_log(second.server.log)
    assert re.search(r"process", second.server.log)
    assert "Uvicorn running" not in second.server.log
    ana = first.user()
    assert first.connect(first.room(ana), ana)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_crash_frees_the_database_at_once_and_loses_nothing(servers: ServerPool, kind: str) -> None:
    chat = servers.prepare(kind)
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    for number in range(20):
        socket.say(str(number))
    seen = [socket.expect("message")["content"] for _ in range(20)]
    chat.server.kill()
    started = time.monotonic()
    chat.server.start()
    assert time.monotonic() - started < 10
    assert [message["content"] for message in chat.history(room, ana)] == seen
    assert chat.online(room, ana) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_restart_takes_over_from_a_process_that_is_still_ending(servers: ServerPool, kind: str) -> None:
    first = servers.prepare(kind)
    first.server.start()
    second = servers.prepare(kind, database=first.database)
    second.server.spawn()
    first.server.stop()
    second.server.wait_ready()
    assert second.get("/api/users/me", second.user()).status_code == 200


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_several_workers_are_refused_and_the_supervisor_ends(servers: ServerPool, kind: str) -> None:
    chat = servers.prepare(kind, "--workers", "2")
    chat.server.spawn()
    assert chat.server.wait_end() != 0
    assert "one process is the supported form" in chat.server.log
    check_log(chat.server.log)


def test_reload_does_not_trip_over_the_lock(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", "--reload")
    source = chat.server.folder / "changed.py"
    source.write_text("value = 0\n")
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    chat.connect(room, ana).say("antes")
    wait_until(lambda: len(chat.history(room, ana)) == 1, "the message")
    started = "Application startup complete"
    assert chat.server.log.count(started) == 1
    # The supervisor compares times of files, which two quick writes may share; it has seen the file by now.
    os.utime(source, (time.time() + 10, time.time() + 10))
    wait_until(lambda: chat.server.log.count(started) == 2, f"the reload\n{chat.server.log}", 30)
    chat.server.wait_ready()
    assert [message["content"] for message in chat.history(room, ana)] == ["antes"]
    chat.connect(room, ana).expect_quiet()
    chat.close_sockets()
    chat.server.stop()


def test_a_transaction_pooler_is_refused_with_advice(servers: ServerPool, postgres: PostgresAccess) -> None:
    with TransactionPooler(postgres.create_database()) as pooler:
        chat = servers.prepare("postgres", database=Database(f"{pooler.url}?sslmode=disable"))
        chat.server.spawn()
        assert chat.server.wait_end() != 0
        check_log(chat.server.log)
        assert "session" in chat.server.log
        assert "pooler" in chat.server.log


def test_the_service_starts_on_any_free_port_and_ends_quietly(servers: ServerPool) -> None:
    chat: Chat = servers.prepare("sqlite", command=uvicorn_command("--no-access-log"))
    chat.server.start()
    assert chat.server.stop() < 5
    assert not re.search("error|exception", chat.server.log, re.IGNORECASE)
