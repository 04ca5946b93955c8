"""Rooms of ws-hub: section 4 of its contract."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness.siblings import UNKNOWN_ID, Account, Sibling, is_error


def create(hub: Sibling, creator: Account, **body: Any) -> dict[str, Any]:
    answer = hub.post("/api/rooms", creator.token, json=body)
    assert answer.status_code == 201, answer.text
    room = answer.json()
    assert isinstance(room, dict)
    return room


def group(hub: Sibling, creator: Account, *others: Account) -> dict[str, Any]:
    return create(hub, creator, type="group", name="Team", participantIds=[other.id for other in others])


def test_groups(hub: Sibling) -> None:
    ana, beto, carla = hub.accounts("ana", "beto", "carla")
    room = create(
        hub, ana, type="group", name="  Team ", participantIds=[carla.id, beto.id, carla.id, ana.id], more="ignored"
    )
    assert list(room) == ["name", "type", "participants", "createdAt", "id"]
    assert (room["name"], room["type"]) == ("Team", "group")
    assert room["participants"] == [ana.person, carla.person, beto.person]
    assert re.fullmatch(r"[0-9a-f]{24}", room["id"])
    for person in (ana, beto, carla):
        assert is_error(hub.get(f"/api/rooms/{room['id']}", person.token), 200, room)
        assert is_error(hub.get("/api/rooms/", person.token), 200, [room])


def test_private_rooms_are_one_per_pair(hub: Sibling) -> None:
    ana, beto = hub.accounts("ana", "beto")
    room = create(hub, ana, type="private", name="ignored", participantIds=[beto.id])
    assert room["name"] == f"{ana.username} & {beto.username}"
    assert room["participants"] == [ana.person, beto.person]
    for one, other in ((ana, beto), (beto, ana)):
        again = hub.post("/api/rooms", one.token, json={"type": "private", "participantIds": [other.id, one.id]})
        assert is_error(again, 200, room)


def test_of_two_racing_private_rooms_one_is_made(hub: Sibling) -> None:
    ana, beto = hub.accounts("ana", "beto")

    def make(pair: tuple[Account, Account]) -> Any:
        return hub.post("/api/rooms", pair[0].token, json={"type": "private", "participantIds": [pair[1].id]})

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(make, [(ana, beto), (beto, ana)] * 2))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "type is required, participantIds is required"),
        ({"type": ""}, "type is required, participantIds is required"),
        ({"type": "group", "participantIds": []}, "participantIds is required"),
        ({"participantIds": ["x"]}, "type is required"),
        ({"type": "club", "participantIds": ["x"]}, "type must be 'private' or 'group'"),
        ({"type": 7, "participantIds": ["x"]}, "type must be 'private' or 'group'"),
        ({"type": "group", "participantIds": "x"}, "participantIds must be a non-empty array"),
        ({"type": "group", "participantIds": {"0": "x"}}, "participantIds must be a non-empty array"),
        ({"type": "private", "participantIds": ["x", "y"]}, "Private room must have exactly 2 participants"),
        ({"type": "private", "participantIds": ["me"]}, "Private room must have exactly 2 participants"),
        ({"type": "group", "participantIds": ["x"]}, "Group room name is required"),
        ({"type": "group", "name": "  ", "participantIds": ["x"]}, "Group room name is required"),
        ({"type": "group", "name": 5, "participantIds": ["x"]}, "Group room name is required"),
        ({"type": "group", "name": "T", "participantIds": ["me"]}, "Group must have at least 2 participants"),
        ({"type": "group", "name": "T", "participantIds": [UNKNOWN_ID]}, "One or more participant IDs are invalid"),
        ({"type": "group", "name": "T", "participantIds": ["x"]}, "One or more participant IDs are invalid"),
        ({"type": "group", "name": "T", "participantIds": [5, None]}, "One or more participant IDs are invalid"),
        ({"type": "group", "name": "T", "participantIds": ["\0"]}, "One or more participant IDs are invalid"),
        ({"type": "private", "participantIds": [{"$ne": 1}]}, "One or more participant IDs are invalid"),
        ({"type": "group", "name": "T" * 101, "participantIds": ["other"]}, "name must be at most 100 characters"),
        ({"type": "public"}, "Room name is required"),
        ({"type": "public", "name": "P", "participantIds": "x"}, "participantIds must be a non-empty array"),
    ],
)
def test_rooms_that_are_refused(hub: Sibling, body: dict[str, Any], message: str) -> None:
    ana, beto = hub.accounts("ana", "beto")
    known = {"me": ana.id, "other": beto.id}
    if isinstance(body.get("participantIds"), list):
        ids = [known.get(name, name) if isinstance(name, str) else name for name in body["participantIds"]]
        body = {**body, "participantIds": ids}
    assert is_error(hub.post("/api/rooms", ana.token, json=body), 400, {"message": message})


def test_a_name_of_100_characters_is_fine(hub: Sibling) -> None:
    ana, beto = hub.accounts("ana", "beto")
    name = "ñ" * 100
    assert create(hub, ana, type="group", name=name, participantIds=[beto.id])["name"] == name


def test_public_rooms(hub: Sibling) -> None:
    ana, beto = hub.accounts("ana", "beto")
    room = create(hub, ana, type="public", name="Plaza")
    assert (room["type"], room["participants"]) == ("public", [ana.person])
    path = f"/api/rooms/{room['id']}"
    assert is_error(hub.get(path, beto.token), 200, room)
    assert hub.get(f"{path}/messages", beto.token).status_code == 200
    assert hub.get("/api/rooms", beto.token).json() == []
    assert room["id"] in [item["id"] for item in hub.get("/api/rooms?type=public", beto.token).json()]
    joined = hub.post(f"{path}/join", beto.token)
    assert (joined.status_code, joined.json()["participants"]) == (200, [ana.person, beto.person])
    assert hub.post(f"{path}/join", beto.token).json() == joined.json()
    assert [item["id"] for item in hub.get("/api/rooms", beto.token).json()] == [room["id"]]
    assert is_error(hub.post(f"{path}/leave", ana.token), 200, {"message": "Left room successfully"})
    assert is_error(hub.post(f"{path}/leave", beto.token), 200, {"message": "Left and room deleted"})
    assert is_error(hub.get(path, beto.token), 404, {"message": "Room not found"})


def test_who_may_read_and_join(hub: Sibling) -> None:
    ana, beto, carla = hub.accounts("ana", "beto", "carla")
    path = f"/api/rooms/{group(hub, ana, beto)['id']}"
    for method, where in (("GET", path), ("GET", f"{path}/messages"), ("POST", f"{path}/join")):
        assert is_error(hub.call(method, where, carla.token), 403, {"message": "Access denied"})
    answer = hub.post(f"{path}/leave", carla.token)
    assert is_error(answer, 403, {"message": "You are not a member of this room"})


@pytest.mark.parametrize("room", [UNKNOWN_ID, "x", "1", "%00", "ü" * 200, "a" * 5000, "..", "%2e%2e", "%"])
def test_rooms_nobody_knows(hub: Sibling, room: str) -> None:
    token = hub.account().token
    for method, path in (("GET", ""), ("GET", "/messages"), ("POST", "/join"), ("POST", "/leave")):
        answer = hub.call(method, f"/api/rooms/{room}{path}", token)
        if room in {"..", "%2e%2e"}:
            # The client or the server in front resolves it.
            assert answer.status_code in {401, 404, 405}
        else:
            assert is_error(answer, 404, {"message": "Room not found"})


def test_leaving(hub: Sibling) -> None:
    ana, beto, carla = hub.accounts("ana", "beto", "carla")
    room = group(hub, ana, beto, carla)
    path = f"/api/rooms/{room['id']}"
    hub.store_messages(room["id"], ana, ["one"])
    assert is_error(hub.post(f"{path}/leave/", beto.token), 200, {"message": "Left room successfully"})
    assert hub.get(path, ana.token).json()["participants"] == [ana.person, carla.person]
    assert hub.get(path, beto.token).status_code == 403
    assert is_error(hub.post(f"{path}/leave", ana.token), 200, {"message": "Left and room deleted"})
    for where in ("", "/messages"):
        assert is_error(hub.get(path + where, carla.token), 404, {"message": "Room not found"})
    assert hub.get("/api/rooms", carla.token).json() == []


def test_everybody_leaves_at_once(hub: Sibling) -> None:
    people = hub.accounts("ana", "beto", "carla", "dora")
    room = group(hub, *people)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda person: hub.post(f"/api/rooms/{room['id']}/leave", person.token), people))
    statuses = sorted((answer.status_code, answer.json()["message"]) for answer in answers)
    assert statuses == [
        (200, "Left and room deleted"),
        (200, "Left room successfully"),
        (200, "Left room successfully"),
        (404, "Room not found"),
    ]


def test_newest_rooms_come_first(hub: Sibling) -> None:
    ana, beto = hub.accounts("ana", "beto")
    made = [group(hub, ana, beto)["id"] for _ in range(3)]
    assert [room["id"] for room in hub.get("/api/rooms", beto.token).json()] == made[::-1]
    assert sorted(made) == made, "ids ascend with time"
