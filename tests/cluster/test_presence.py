"""Who is in a room at any process, and who may stay."""

import re

import pytest
from harness.chat import Chat, User
from harness.cluster import start_processes
from harness.pool import ServerPool
from harness.redis_server import RedisServer
from harness.waiting import wait_until

REVOKED = 1008


def test_a_user_is_there_once_wherever_connected(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    room = one.room(ana)
    watcher = one.connect(room, ana)
    first = one.connect(room, beto)
    assert watcher.expect("user_joined")["user_id"] == beto.id
    second = other.connect(room, beto)
    third = other.connect(room, beto)
    assert [sorted(process.online(room, ana)) for process in processes] == [sorted([ana.id, beto.id])] * 2
    first.close()
    second.close()
    one.expect_nothing(room, ana, watcher)
    assert third.expect("message")["seq"] == 1
    third.close()
    assert watcher.expect("user_left")["user_id"] == beto.id
    assert [process.online(room, ana) for process in processes] == [[ana.id]] * 2


def test_names_are_known_everywhere(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, _) = processes, people
    room = one.room(ana)
    socket = one.connect(room, ana)
    wait_until(lambda: other.online(room, ana) == [ana.id], "the other process to know")
    answer = one.put("/api/users/me", ana, json={"full_name": "Ana Nueva"})
    assert answer.status_code == 200, answer.text

    def named() -> bool:
        users = other.get(f"/api/ws/rooms/{room}/online", ana).json()["online_users"]
        return [user["full_name"] for user in users] == ["Ana Nueva"]

    wait_until(named, "the name to arrive")
    other.say(room, ana, "x")
    assert socket.expect("message")["sender"]["full_name"] == "Ana Nueva"


def test_access_that_is_taken_away_at_one_ends_sockets_at_the_other(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    carla = one.user("carla")
    public = one.room(ana)
    guest = other.connect(public, beto)
    answer = one.put(f"/api/rooms/{public}", ana, json={"is_private": True})
    assert answer.status_code == 200, answer.text
    assert guest.expect_closed()[0] == REVOKED
    private = one.room(ana, private=True)
    one.add_member(private, ana, carla)
    member = other.connect(private, carla)
    assert one.post(f"/api/rooms/{private}/leave", carla).status_code == 200
    assert member.expect_closed()[0] == REVOKED
    assert other.refused(private, carla.token)[0] == 403
    open_room = one.room(ana)
    deactivated = other.connect(open_room, carla)
    answer = one.put("/api/users/me", carla, json={"is_active": False})
    assert answer.status_code == 200, answer.text
    assert deactivated.expect_closed()[0] == REVOKED


def test_a_process_that_stops_or_dies_takes_its_users_along(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    room = one.room(ana)
    watcher = one.connect(room, ana)
    for end in (other.server.stop, other.server.kill):
        other.connect(room, beto)
        assert watcher.expect("user_joined")["user_id"] == beto.id
        end()
        assert watcher.expect("user_left")["user_id"] == beto.id
        assert one.online(room, ana) == [ana.id]
        other.sockets.clear()
        other.server.start()
    socket = other.connect(room, beto)
    assert watcher.expect("user_joined")["user_id"] == beto.id
    wait_until(lambda: other.online(room, ana) == [beto.id, ana.id], "the new process to know who is there")
    socket.say("de vuelta")
    assert watcher.expect("message")["content"] == "de vuelta"


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_workers_of_one_uvicorn(servers: ServerPool, redis: RedisServer, kind: str) -> None:
    chat = servers.prepare(kind, "--workers", "2", settings={"REDIS_URL": redis.url})
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    wait_until(lambda: len(set(re.findall(r"Started server process \[(\d+)\]", chat.server.log))) == 2, "two workers")
    readers = [chat.connect(room, ana) for _ in range(16)]
    writer = chat.connect(room, beto)
    for reader in readers:
        assert reader.expect("user_joined")["user_id"] == beto.id
    writer.say("hola")
    for reader in readers:
        assert reader.expect("message")["content"] == "hola"


def test_a_process_without_the_others_is_refused(servers: ServerPool, redis: RedisServer) -> None:
    one, _ = start_processes(servers, "sqlite", redis.url)
    alone = servers.prepare("sqlite", database=one.database)
    alone.server.spawn()
    assert alone.server.wait_end() != 0
    assert "the same REDIS_URL" in alone.server.log


def test_processes_of_other_databases_do_not_notice(servers: ServerPool, redis: RedisServer) -> None:
    here, there = (start_processes(servers, "sqlite", redis.url, count=1)[0] for _ in range(2))
    ana, also_ana = here.user(), there.user()
    room, same_number = here.room(ana), there.room(also_ana)
    assert room == same_number
    socket, other = here.connect(room, ana), there.connect(same_number, also_ana)
    there.say(same_number, also_ana, "allí")
    assert other.expect("message")["content"] == "allí"
    here.say(room, ana, "aquí")
    assert socket.expect("message")["content"] == "aquí"
    assert (here.online(room, ana), there.online(same_number, also_ana)) == ([ana.id], [also_ana.id])
