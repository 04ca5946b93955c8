"""Every message has a place in its room, the same wherever it is seen, and history can be read by it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness.chat import Chat, User


def places(messages: list[dict[str, Any]]) -> list[int]:
    return [message["seq"] for message in messages]


def part(chat: Chat, room: int, user: User, **query: object) -> list[dict[str, Any]]:
    answer = chat.get(f"/api/rooms/{room}/messages", user, params=query)
    assert answer.status_code == 200, answer.text
    messages = answer.json()
    assert isinstance(messages, list)
    return messages


def test_places_are_the_same_for_everybody_and_without_gaps(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room, other_room = chat.room(ana), chat.room(ana)
    sockets = chat.connect_all(room, ana, beto)
    said = [chat.say(room, ana, "uno")]
    sockets[0].say("dos")
    chat.say(other_room, ana, "en otra sala")
    sockets[1].say("tres")
    seen = [[socket.expect("message") for _ in range(3)] for socket in sockets]
    assert [places(frames) for frames in seen] == [[1, 2, 3], [1, 2, 3]]
    assert said[0]["seq"] == 1
    assert list(seen[0][0])[-1] == "seq"
    assert list(said[0])[-1] == "seq"
    history = chat.history(room, ana)
    assert [(item["id"], item["seq"]) for item in history] == [(item["id"], item["seq"]) for item in seen[0]]
    assert places(chat.history(other_room, ana)) == [1]


def test_messages_of_the_original_are_numbered_too(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    chat.say(room, ana, "uno")
    chat.database.rows(
        "insert into messages (content, sender_id, room_id, created_at) values (?, ?, ?, ?)",
        "del original",
        ana.id,
        room,
        chat.database.now(),
    )
    chat.say(room, ana, "tres")
    assert [(item["content"], item["seq"]) for item in part(chat, room, ana, after_seq=0)] == [
        ("uno", 1),
        ("del original", 2),
        ("tres", 3),
    ]


def test_many_writers_leave_no_gap(chat: Chat) -> None:
    ana = chat.user()
    rooms = [chat.room(ana) for _ in range(3)]
    with ThreadPoolExecutor(6) as executor:
        jobs = [executor.submit(chat.say, rooms[number % 3], ana, str(number)) for number in range(60)]
        for job in jobs:
            job.result()
    for room in rooms:
        assert places(part(chat, room, ana, after_seq=0)) == list(range(1, 21))


def test_history_by_place(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    for number in range(1, 11):
        chat.say(room, ana, str(number))
    assert places(part(chat, room, ana, before_seq=8, limit=3)) == [7, 6, 5]
    assert places(part(chat, room, ana, after_seq=3, limit=3)) == [4, 5, 6]
    assert places(part(chat, room, ana, after_seq=3, before_seq=6)) == [4, 5]
    assert places(part(chat, room, ana, after_seq=10)) == []
    assert places(part(chat, room, ana, before_seq=1)) == []
    assert places(part(chat, room, ana, before_seq=0)) == []
    assert places(part(chat, room, ana, after_seq=9_000_000_000_000)) == []
    assert places(part(chat, room, ana, after_seq=0, limit=0)) == []
    by_place, by_page = part(chat, room, ana, before_seq=8, limit=3), part(chat, room, ana, skip=3, limit=3)
    assert by_place == by_page


def test_pages_by_place_do_not_move_when_messages_come(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    for number in range(1, 7):
        chat.say(room, ana, str(number))
    seen: list[int] = []
    cursor = 7
    while page := places(part(chat, room, ana, before_seq=cursor, limit=2)):
        seen += page
        cursor = page[-1]
        chat.say(room, ana, "mientras tanto")
    assert seen == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(("key", "value"), [("before_seq", "x"), ("after_seq", "-1"), ("after_seq", "1.5")])
def test_what_is_no_place_is_refused(chat: Chat, key: str, value: str) -> None:
    ana = chat.user()
    answer = chat.get(f"/api/rooms/{chat.room(ana)}/messages", ana, params={key: value})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", key]


def test_places_are_for_those_with_access(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana, private=True)
    chat.say(room, ana, "secreto")
    for query in ({"after_seq": 0}, {"before_seq": 9}):
        assert chat.get(f"/api/rooms/{room}/messages", beto, params=query).status_code == 403
