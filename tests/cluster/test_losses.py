"""What gets lost between processes is found in the database."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from harness.chat import Chat
from harness.cluster import start_processes
from harness.pool import ServerPool
from harness.processes import free_port
from harness.redis_server import RedisServer
from harness.waiting import wait_until


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that ends in the middle."""
    with closing(RedisServer()) as server:
        yield server


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_nothing_is_lost_while_the_processes_cannot_talk(
    servers: ServerPool, own_redis: RedisServer, kind: str
) -> None:
    one, other = start_processes(servers, kind, own_redis.url)
    ana, beto = one.users("ana", "beto")
    room = one.room(ana)
    at_one = one.connect(room, ana, events="changes")
    at_other = other.connect(room, beto, events="changes")
    at_one.expect("user_joined")
    own_redis.stop()
    said = [process.say(room, ana, "sin Redis")["id"] for process in (one, other, one)]
    for socket in (at_one, at_other):
        assert [socket.expect("message")["id"] for _ in said] == said
    other.edit(room, ana, said[0], "editado")
    assert at_one.expect("message_edited") == at_other.expect("message_edited")
    wait_until(lambda: one.online(room, ana) == [ana.id], "the other process to count as gone", 20)
    assert at_one.expect("user_left")["user_id"] == beto.id
    assert at_other.expect("user_left")["user_id"] == ana.id
    own_redis.start_again()
    assert at_one.expect("user_joined")["user_id"] == beto.id
    assert at_other.expect("user_joined")["user_id"] == ana.id
    message = one.say(room, ana, "otra vez")
    assert at_other.expect("message")["id"] == at_one.expect("message")["id"] == message["id"]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_was_replayed_at_a_process_that_is_behind_comes_once(
    servers: ServerPool, own_redis: RedisServer, kind: str
) -> None:
    one, other = start_processes(servers, kind, own_redis.url)
    ana, beto = one.users("ana", "beto")
    room = one.room(ana)
    asking, witness = one.connect_all(room, ana, beto, events="changes")
    own_redis.stop()
    said = [other.say(room, ana, str(number)) for number in range(1, 6)]
    other.edit(room, ana, said[1]["id"], "editado")
    asking.send({"type": "resume", "since_seq": 0, "since_change": 0})
    frames = [asking.receive()]
    while frames[-1].get("seq") != 6:
        if frames[-1]["type"] == "resumed":
            other.say(room, ana, "6")
        frames.append(asking.receive())
    (start,) = [index for index, frame in enumerate(frames) if frame["type"] == "resumed"]
    messages = [frame["seq"] for frame in frames[start:] if frame["type"] == "message"]
    changes = [frame["change"] for frame in frames[start:] if frame["type"] == "message_edited"]
    assert (messages, changes) == ([1, 2, 3, 4, 5, 6], [1])
    assert [witness.expect("message")["seq"] for _ in range(5)] == [1, 2, 3, 4, 5]


def test_without_the_server_one_process_serves_alone(servers: ServerPool) -> None:
    settings = {"REDIS_URL": f"redis://:{'hush'}@127.0.0.1:{free_port()}"}
    chat = servers.prepare("sqlite", settings=settings)
    chat.server.start()
    assert re.search(r"WARN\w*.*REDIS_URL: the server cannot be reached; .* alone", chat.server.log)
    assert "hush" not in chat.server.log
    ana = chat.user()
    room = chat.room(ana)
    chat.connect(room, ana).say("solo")
    wait_until(lambda: len(chat.history(room, ana)) == 1, "the message")
    second = servers.prepare("sqlite", database=chat.database, settings=settings)
    second.server.spawn()
    assert second.server.wait_end() != 0
    assert "another process of this service is already running" in second.server.log


def test_a_url_that_is_none(servers: ServerPool) -> None:
    for url, text in [("http://localhost:6379", "expected a URL such as redis://"), ("redis://", "REDIS_URL: ")]:
        chat: Chat = servers.prepare("sqlite", settings={"REDIS_URL": url})
        chat.server.spawn()
        assert chat.server.wait_end() != 0
        assert "REDIS_URL" in chat.server.log
        assert text in chat.server.log
