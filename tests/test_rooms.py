"""Rooms and memberships: sections 5.1 to 5.7 of the contract, each permission from its refused and its granted side."""

import pytest
from harness.chat import Chat, User

ROOM_KEYS = [
    "name",
    "description",
    "is_private",
    "id",
    "owner_id",
    "created_at",
    "updated_at",
    "owner",
    "members",
]
DENIED = (403, {"detail": "Access denied to this room"})
NOT_OWNER = (403, {"detail": "Only room owner can perform this action"})
NOT_FOUND = (404, {"detail": "Room not found"})
NOT_FOUND_ES = (404, {"detail": "Sala no encontrada"})
BAD_ID_ES = (400, {"detail": "ID de sala inválido"})
JOINED, ALREADY = "Te has unido a la sala exitosamente", "Ya estás en esta sala"
BODIES = {"PUT": {"name": "x"}, "POST": {"content": "x"}}


def ask(chat: Chat, method: str, path: str, user: User | None) -> tuple[int, object]:
    """Status and body of a request with a body that suits the route."""
    answer = chat.call(method, path, user, json=BODIES.get(method))
    return answer.status_code, answer.json()


def test_creating_and_reading(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    answer = chat.post("/api/rooms/", ana, json={"name": "Sala ñ", "description": "d", "owner_id": beto.id})
    room = answer.json()
    assert (answer.status_code, list(room)) == (201, ROOM_KEYS)
    assert (room["owner_id"], room["owner"]["id"], [member["id"] for member in room["members"]]) == (
        ana.id,
        ana.id,
        [ana.id],
    )
    assert (room["is_private"], room["updated_at"], room["description"]) == (False, None, "d")
    assert room["created_at"].endswith("Z")
    assert chat.get(f"/api/rooms/{room['id']}", beto).json() == room
    assert chat.get(f"/api/rooms/{room['id']}/", beto).json() == room


def test_null_counts_as_public_and_names_may_be_empty_and_equal(chat: Chat) -> None:
    ana = chat.user()
    bodies = [{"name": "", "is_private": None, "description": None}, {"name": ""}, {"name": "", "is_private": "no"}]
    for body in bodies:
        answer = chat.post("/api/rooms", ana, json=body)
        assert (answer.status_code, answer.json()["name"], answer.json()["is_private"]) == (201, "", False)


def test_the_public_list(chat: Chat) -> None:
    ana = chat.user()
    first, private, second = chat.room(ana), chat.room(ana, private=True), chat.room(ana)
    before = chat.database.value(
        "select count(*) from rooms where is_private = false and owner_id is not null and id < ?", first
    )
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic x"}):
        answer = chat.get("/api/rooms/", params={"skip": before, "limit": 50}, headers=headers)
        assert answer.status_code == 200
        assert [room["id"] for room in answer.json()] == [first, second]
        assert list(answer.json()[0]) == ROOM_KEYS
        assert next(iter(answer.json()[0]["owner"])) == "username"
    assert private not in [room["id"] for room in chat.get("/api/rooms", params={"limit": 1000}).json()]


@pytest.mark.parametrize(
    ("method", "suffix", "bad_id", "unknown"),
    [
        ("GET", "", BAD_ID_ES, NOT_FOUND_ES),
        ("PUT", "", NOT_FOUND, NOT_FOUND),
        ("POST", "/join", BAD_ID_ES, NOT_FOUND_ES),
        ("POST", "/leave", NOT_FOUND, NOT_FOUND),
        ("GET", "/members", NOT_FOUND, NOT_FOUND),
        ("GET", "/messages", BAD_ID_ES, NOT_FOUND_ES),
        ("POST", "/messages", BAD_ID_ES, NOT_FOUND_ES),
    ],
)
def test_texts_for_rooms_that_are_not_there(
    chat: Chat, method: str, suffix: str, bad_id: tuple[int, object], unknown: tuple[int, object]
) -> None:
    ana = chat.user()
    for number in (0, -1, -(2**63)):
        assert ask(chat, method, f"/api/rooms/{number}{suffix}", ana) == bad_id, number
    for number in (2**31 - 1, 2**31, 2**62, 2**63 - 1):
        assert ask(chat, method, f"/api/rooms/{number}{suffix}", ana) == unknown, number
    for number in (2**63, 10**30):
        assert ask(chat, method, f"/api/rooms/{number}{suffix}", ana)[0] == 404, number
    assert ask(chat, method, f"/api/rooms/abc{suffix}", ana)[0] == 422
    assert ask(chat, method, f"/api/rooms/1{suffix}", None) == (403, {"detail": "Not authenticated"})


@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("GET", "/members"), ("GET", "/messages"), ("POST", "/messages"), ("POST", "/join")],
)
def test_private_rooms_are_closed_to_strangers(chat: Chat, method: str, suffix: str) -> None:
    ana, beto, eva = chat.users("ana", "beto", "eva")
    room = chat.room(ana, private=True)
    path = f"/api/rooms/{room}{suffix}"
    assert ask(chat, method, path, eva) == DENIED
    chat.add_member(room, ana, beto)
    assert ask(chat, method, path, beto)[0] in {200, 201}
    assert ask(chat, method, path, ana)[0] in {200, 201}


def test_public_rooms_are_open_to_non_members(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    room = chat.room(ana)
    for method, suffix in (("GET", ""), ("GET", "/members"), ("GET", "/messages"), ("POST", "/messages")):
        assert ask(chat, method, f"/api/rooms/{room}{suffix}", eva)[0] in {200, 201}, suffix


def test_joining_takes_any_body_and_is_idempotent(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    for content in (b"", b"{}", b"not json", b"[1", b"\xff\xfe", b"null"):
        beto = chat.user("beto")
        headers = {"Content-Type": "application/json"}
        for text in (JOINED, ALREADY):
            answer = chat.post(f"/api/rooms/{room}/join", beto, content=content, headers=headers)
            assert (answer.status_code, answer.json()) == (200, {"message": text, "room_id": room}), content
            assert list(answer.json()) == ["message", "room_id"]
    assert chat.post(f"/api/rooms/{room}/join", ana).json()["message"] == ALREADY


def test_leaving(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    path = f"/api/rooms/{room}/leave"
    not_in = chat.post(path, beto)
    assert (not_in.status_code, not_in.json()) == (400, {"detail": "User is not in this room"})
    owner = chat.post(path, ana)
    assert (owner.status_code, owner.json()) == (400, {"detail": "Room owner cannot leave their own room"})
    chat.join(room, beto)
    left = chat.post(path, beto)
    assert (left.status_code, left.json()) == (200, {"message": "Successfully left room", "room_id": room})
    assert chat.post(path, beto).status_code == 400


def test_updating_is_for_the_owner(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana, description="old")
    chat.join(room, beto)
    path = f"/api/rooms/{room}"
    assert ask(chat, "PUT", path, beto) == NOT_OWNER
    nulls = chat.put(path, ana, json={"name": None, "is_private": None, "owner_id": beto.id}).json()
    assert (nulls["name"], nulls["is_private"], nulls["owner_id"], nulls["updated_at"]) == ("Sala", False, ana.id, None)
    changed = chat.put(path, ana, json={"name": "Nueva", "description": None}).json()
    assert list(changed) == ROOM_KEYS
    assert (changed["name"], changed["description"], changed["is_private"]) == ("Nueva", None, False)
    assert changed["updated_at"].endswith("Z")
    assert len(changed["members"]) == 2
    assert chat.put(path, ana, json={"is_private": True}).json()["is_private"] is True
    assert ask(chat, "GET", path, chat.user()) == DENIED


def test_the_owner_adds_members_to_a_private_room(chat: Chat) -> None:
    ana, beto, carla, eva = chat.users("ana", "beto", "carla", "eva")
    room = chat.room(ana, private=True)
    path = f"/api/rooms/{room}/members"
    assert chat.post(path, eva, json={"user_id": eva.id}).status_code == 403
    assert chat.post(path, ana, json={"user_id": beto.id}).json()["id"] == beto.id
    assert chat.post(path, ana, json={"username": carla.username}).json()["id"] == carla.id
    twice = chat.post(path, ana, json={"user_id": beto.id})
    assert twice.status_code in {200, 201}
    assert chat.post(path, beto, json={"user_id": eva.id}).status_code == 403, "only the owner adds members"
    unknown = chat.post(path, ana, json={"user_id": 2**40})
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "User not found"})
    assert chat.post(path, ana, json={}).status_code == 422
    assert [member["id"] for member in chat.get(path, beto).json()] == [ana.id, beto.id, carla.id]
    already = chat.post(f"/api/rooms/{room}/join", beto)
    assert (already.status_code, already.json()["message"]) == (200, ALREADY)


def test_an_owner_without_a_membership_row_keeps_access(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana, private=True)
    chat.database.rows("delete from user_rooms where room_id = ?", room)
    assert ask(chat, "GET", f"/api/rooms/{room}", ana)[0] == 200
    assert ask(chat, "POST", f"/api/rooms/{room}/messages", ana)[0] == 201


def test_a_room_cannot_be_deleted(chat: Chat) -> None:
    ana = chat.user()
    answer = chat.call("DELETE", f"/api/rooms/{chat.room(ana)}", ana)
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    allowed = {method.strip() for method in answer.headers["allow"].split(",")}
    assert {"GET", "PUT"} <= allowed
    assert "DELETE" not in allowed
