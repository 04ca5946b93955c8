"""History of ws-hub: pages without gaps or repeats."""

from typing import Any

import pytest
from harness.siblings import Account, Sibling


@pytest.fixture
def room(hub: Sibling) -> tuple[str, Account, list[str]]:
    """A room with twelve messages of the same time, and their contents in order."""
    ana, beto = hub.accounts("ana", "beto")
    made = hub.post("/api/rooms", ana.token, json={"type": "private", "participantIds": [beto.id]}).json()
    contents = [f"message {number}" for number in range(12)]
    hub.store_messages(made["id"], beto, contents)
    return made["id"], ana, contents


def read(hub: Sibling, room_id: str, reader: Account, query: str) -> dict[str, Any]:
    answer = hub.get(f"/api/rooms/{room_id}/messages{query}", reader.token)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert isinstance(page, dict)
    return page


def test_pages(hub: Sibling, room: tuple[str, Account, list[str]]) -> None:
    room_id, ana, contents = room
    seen: list[str] = []
    for number, has_more in ((1, True), (2, True), (3, False)):
        page = read(hub, room_id, ana, f"?page={number}&limit=5")
        assert (page["page"], page["hasMore"]) == (number, has_more)
        seen = [message["content"] for message in page["messages"]] + seen
    assert seen == contents
    assert read(hub, room_id, ana, "?page=4&limit=5") == {"messages": [], "hasMore": False, "page": 4}
    assert read(hub, room_id, ana, "?page=1&limit=12")["hasMore"] is False


def test_a_message(hub: Sibling, room: tuple[str, Account, list[str]]) -> None:
    room_id, ana, _ = room
    message = read(hub, room_id, ana, "")["messages"][0]
    assert list(message) == ["id", "roomId", "senderId", "senderUsername", "content", "imageUrl", "createdAt"]
    assert (message["roomId"], message["imageUrl"]) == (room_id, None)


def test_a_sender_who_is_gone(hub: Sibling, room: tuple[str, Account, list[str]]) -> None:
    room_id, ana, _ = room
    sender = read(hub, room_id, ana, "")["messages"][0]["senderId"]
    hub.chat.database.rows(
        "delete from compat_room_members where account_id in (select id from compat_accounts where public_id = ?)",
        sender,
    )
    hub.chat.database.rows("delete from compat_accounts where public_id = ?", sender)
    message = read(hub, room_id, ana, "")["messages"][0]
    assert (message["senderId"], message["senderUsername"]) == (sender, "Unknown")


@pytest.mark.parametrize(
    ("query", "page", "count"),
    [
        ("", 1, 12),
        ("?page=&limit=", 1, 12),
        ("?page=abc&limit=x", 1, 12),
        ("?page=0&limit=0", 1, 1),
        ("?page=-5&limit=-5", 1, 1),
        ("?page=1.9&limit=2.9", 1, 2),
        ("?page=2abc&limit=10", 2, 2),
        ("?limit=100000", 1, 12),
        ("?page=99999999999999999999", 2_147_483_647, 0),
        ("?page=1&page=2&limit=11", 1, 11),
        ("?page[]=2&limit=%00", 1, 12),
    ],
)
def test_numbers_that_are_replaced_or_clamped(
    hub: Sibling, room: tuple[str, Account, list[str]], query: str, page: int, count: int
) -> None:
    room_id, ana, _ = room
    answer = read(hub, room_id, ana, query)
    assert (answer["page"], len(answer["messages"])) == (page, count)


def test_a_page_holds_a_hundred_at_most(hub: Sibling) -> None:
    ana, beto = hub.accounts("ana", "beto")
    made = hub.post("/api/rooms", ana.token, json={"type": "private", "participantIds": [beto.id]}).json()
    hub.store_messages(made["id"], ana, ["x"] * 101)
    page = read(hub, made["id"], ana, "?limit=500")
    assert (len(page["messages"]), page["hasMore"]) == (100, True)
