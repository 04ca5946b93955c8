"""``PRESENCE_GRACE_SECONDS``: who comes back in time was never gone."""

import time
from collections.abc import Iterator

import pytest
from harness.chat import Chat
from harness.pool import ServerPool, lend
from harness.waiting import wait_until


@pytest.fixture(params=["handoff-sqlite", "handoff-postgres", "asgi-sqlite"])
def patient(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Chat]:
    """A service whose grace no test lives to see the end of."""
    transport, kind = request.param.split("-")
    yield from lend(shared_servers, kind, transport, "grace", {"PRESENCE_GRACE_SECONDS": "300"})


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_a_short_reconnect_is_not_announced(patient: Chat, ending: str) -> None:
    ana, beto, carla = patient.users("ana", "beto", "carla")
    room = patient.room(ana)
    observer, leaver = patient.connect_all(room, ana, beto)
    for _ in range(3):
        if ending == "close":
            leaver.close()
        else:
            leaver.abort()
        patient.expect_nothing(room, ana, observer)
        assert patient.online(room, ana) == [ana.id, beto.id]
        leaver = patient.connect(room, beto, welcomed=False)
        assert leaver.welcomed() == [ana.id, beto.id]
    leaver.close()
    newcomer = patient.connect(room, carla, welcomed=False)
    assert newcomer.welcomed() == [ana.id, beto.id, carla.id]
    assert observer.expect("user_joined")["user_id"] == carla.id
    patient.expect_nothing(room, ana, observer, newcomer)


def test_a_room_whose_only_user_is_away(patient: Chat) -> None:
    ana = patient.user()
    room = patient.room(ana)
    patient.connect(room, ana).close()
    assert patient.online(room, ana) == [ana.id]
    patient.say(room, ana, "nobody hears it")
    back = patient.connect(room, ana, welcomed=False)
    assert back.welcomed() == [ana.id]
    patient.expect_nothing(room, ana, back)


def test_a_new_name_of_somebody_away_shows(patient: Chat) -> None:
    ana, beto = patient.users("ana", "beto")
    room = patient.room(ana)
    patient.connect(room, beto).close()
    assert patient.put("/api/users/me", beto, json={"full_name": "Beto Nuevo"}).status_code == 200
    listed = patient.get(f"/api/ws/rooms/{room}/online", ana).json()["online_users"]
    assert [item["full_name"] for item in listed] == ["Beto Nuevo"]


@pytest.mark.parametrize("state", ["away", "connected"])
@pytest.mark.parametrize("loss", ["leaving", "deactivation", "turning private"])
def test_who_loses_the_access_leaves_at_once(patient: Chat, loss: str, state: str) -> None:
    ana, beto = patient.users("ana", "beto")
    room = patient.room(ana, private=loss == "leaving")
    if loss == "leaving":
        patient.add_member(room, ana, beto)
    observer, leaver = patient.connect_all(room, ana, beto)
    if state == "away":
        leaver.close()
        patient.expect_nothing(room, ana, observer)
    match loss:
        case "leaving":
            answer = patient.post(f"/api/rooms/{room}/leave", beto)
        case "deactivation":
            answer = patient.put("/api/users/me", beto, json={"is_active": False})
        case _:
            answer = patient.put(f"/api/rooms/{room}", ana, json={"is_private": True})
    assert answer.status_code == 200, answer.text
    assert observer.expect("user_left")["user_id"] == beto.id
    wait_until(lambda: patient.online(room, ana) == [ana.id], "the list to say so too")
    patient.expect_nothing(room, ana, observer)


def test_who_does_not_come_back_is_announced_when_the_time_is_over(servers: ServerPool, transport: str) -> None:
    chat = servers.prepare("sqlite", transport=transport, settings={"PRESENCE_GRACE_SECONDS": "1"})
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer = chat.connect(room, ana)
    for _ in range(2):
        leaver = chat.connect(room, beto)
        assert observer.expect("user_joined")["user_id"] == beto.id
        started = time.monotonic()
        leaver.close()
        assert observer.expect("user_left")["user_id"] == beto.id
        assert time.monotonic() - started >= 1
        assert chat.online(room, ana) == [ana.id]


def test_a_service_with_somebody_away_stops_at_once(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"PRESENCE_GRACE_SECONDS": "300"})
    chat.server.start()
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    observer, leaver = chat.connect_all(room, ana, beto)
    leaver.close()
    chat.expect_nothing(room, ana, observer)
    chat.server.close_http()
    assert chat.server.stop() < 8
    _, _, frames = observer.expect_closed()
    assert frames == [], "nobody leaves a room that ends"
