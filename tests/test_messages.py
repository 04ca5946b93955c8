"""Messages over REST: the object, sending and history (sections 4, 5.8 and 5.9 of the contract)."""

import re

import pytest
from harness.chat import Chat, User

MESSAGE_KEYS = ["content", "room_id", "id", "sender_id", "file_id", "created_at", "sender", "room", "file", "seq"]
FILE_KEYS = [
    "original_filename",
    "stored_filename",
    "file_size",
    "content_type",
    "public_url",
    "id",
    "uploader_id",
    "uploaded_at",
    "uploader",
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


def test_the_message_object(chat: Chat) -> None:
    ana, beto = chat.user(full_name="Ana"), chat.user("beto")
    room = chat.room(ana)
    chat.join(room, beto)
    message = chat.say(room, ana, "hola ñ 😀")
    assert list(message) == MESSAGE_KEYS
    assert (message["content"], message["room_id"], message["sender_id"]) == ("hola ñ 😀", room, ana.id)
    assert (message["file_id"], message["file"]) == (None, None)
    assert TIME.fullmatch(message["created_at"])
    assert message["sender"] == chat.get("/api/users/me", ana).json()
    assert message["room"] == chat.get(f"/api/rooms/{room}", ana).json()
    assert [member["id"] for member in message["room"]["members"]] == [ana.id, beto.id]
    assert chat.get(f"/api/rooms/{room}/messages", beto).json() == [message]


@pytest.mark.parametrize("content", ["", "  blanks kept \n", "x" * 131_072, "\u2028\u0001\ufeff", '"\\/'])
def test_content_is_stored_as_it_is(chat: Chat, content: str) -> None:
    ana = chat.user()
    room = chat.room(ana)
    assert chat.say(room, ana, content)["content"] == content
    assert chat.history(room, ana)[0]["content"] == content


def test_the_room_id_of_the_body_is_ignored_but_must_be_an_integer(chat: Chat) -> None:
    ana = chat.user()
    room, other = chat.room(ana), chat.room(ana)
    for room_id in (other, str(other), -1, None):
        body = {"content": "x", "room_id": room_id, "sender_id": 1}
        answer = chat.post(f"/api/rooms/{room}/messages", ana, json=body)
        assert (answer.status_code, answer.json()["room_id"]) == (201, room)
    answer = chat.post(f"/api/rooms/{room}/messages", ana, json={"content": "x", "room_id": "abc"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "room_id"])
    assert chat.history(other, ana) == []


def test_history_is_newest_first_and_paged(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    ids = [chat.say(room, ana, str(number))["id"] for number in range(55)]
    newest_first = ids[::-1]
    path = f"/api/rooms/{room}/messages"

    def page(**query: object) -> list[int]:
        return [message["id"] for message in chat.get(path, ana, params=query).json()]

    assert page() == newest_first[:50]
    assert page(skip=50) == newest_first[50:]
    assert page(skip=1, limit=2) == newest_first[1:3]
    assert page(limit=0) == []
    assert page(limit=100_000) == newest_first
    assert page(skip=10**6) == []


def test_ties_in_history_are_broken_by_id(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    ids = [chat.say(room, ana, "x")["id"] for _ in range(4)]
    same = chat.database.value("select max(created_at) from messages where room_id = ?", room)
    chat.database.rows("update messages set created_at = ? where room_id = ?", same, room)
    answer = chat.get(f"/api/rooms/{room}/messages", ana).json()
    assert [message["id"] for message in answer] == ids[::-1]


def test_a_file_travels_with_the_message(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    file_id = chat.store_file(ana)
    message = chat.say(room, ana, "", file_id=file_id)
    assert message["file_id"] == file_id
    assert list(message["file"]) == FILE_KEYS
    assert message["file"]["uploader"]["id"] == ana.id
    assert chat.history(room, ana) == [message]
    assert chat.get("/api/users/me/files", ana).json() == [message["file"]]
    assert chat.get("/api/uploads/", ana).json() == {"files": [message["file"]], "total": 1, "skip": 0, "limit": 50}


def test_files_are_visible_to_the_uploader_and_where_they_were_shared(chat: Chat) -> None:
    ana, beto, eva = chat.users("ana", "beto", "eva")
    private, public = chat.room(ana, private=True), chat.room(eva)
    chat.add_member(private, ana, beto)
    file_id = chat.store_file(ana)
    denied = (403, {"detail": "No tienes acceso a este archivo"})

    def read(user: User) -> tuple[int, object]:
        answer = chat.get(f"/api/uploads/{file_id}", user)
        return answer.status_code, answer.json()

    def attach(user: User) -> int:
        answer = chat.post(f"/api/rooms/{public}/messages", user, json={"content": "", "file_id": file_id})
        return answer.status_code

    assert read(beto) == denied
    assert attach(beto) == 403
    assert chat.database.value("select count(*) from messages where room_id = ?", public) == 0
    chat.say(private, ana, "", file_id=file_id)
    assert read(ana)[0] == read(beto)[0] == 200
    assert read(eva) == denied
    assert attach(eva) == 403
    assert attach(beto) == 201, "who can see a file may pass it on"
    assert read(eva)[0] == 200


@pytest.mark.parametrize("file_id", [0, -1, 2**31, 2**40])
def test_an_unknown_file_is_a_404_and_nothing_is_stored(chat: Chat, file_id: int) -> None:
    ana = chat.user()
    room = chat.room(ana)
    answer = chat.post(f"/api/rooms/{room}/messages", ana, json={"content": "x", "file_id": file_id})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Archivo no encontrado"})
    assert chat.get(f"/api/uploads/{file_id}", ana).json() == {"detail": "Archivo no encontrado"}
    assert chat.history(room, ana) == []


def test_text_over_the_limit_is_refused(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    answer = chat.post(f"/api/rooms/{room}/messages", ana, json={"content": "x" * 131_073})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "string_too_long"
    assert chat.history(room, ana) == []
