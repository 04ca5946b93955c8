"""The list of users online in a room: section 6.6 of the contract."""

import pytest
from harness import tokens
from harness.chat import SECRET_KEY, Chat, unique
from harness.waiting import wait_until

BAD_TOKEN = (401, {"detail": "Could not validate credentials"})


@pytest.mark.parametrize("prefix", ["/api/ws", "/ws"])
def test_the_list_has_each_user_once_in_order_of_connection(chat: Chat, prefix: str) -> None:
    ana, beto = chat.user(full_name="Ana"), chat.user("beto")
    room = chat.room(ana)
    path = f"{prefix}/rooms/{room}/online"
    assert chat.get(path, ana).json() == {"room_id": room, "online_users": [], "count": 0}
    sockets = chat.connect_all(room, beto, ana, beto)
    answer = chat.get(path, ana).json()
    assert list(answer) == ["room_id", "online_users", "count"]
    assert answer["online_users"] == [
        {"id": beto.id, "username": beto.username, "full_name": None},
        {"id": ana.id, "username": ana.username, "full_name": "Ana"},
    ]
    assert answer["count"] == 2
    assert chat.get(path + "/", ana).json() == answer
    sockets[0].close()
    assert chat.online(room, ana) == [beto.id, ana.id], "another socket of the user is open"
    sockets[2].close()
    wait_until(lambda: chat.online(room, ana) == [ana.id], "the user to be gone")


def test_where_the_token_comes_from(chat: Chat) -> None:
    ana = chat.user()
    path = f"/api/ws/rooms/{chat.room(ana)}/online"
    assert chat.get(path, params={"token": ana.token}).status_code == 200
    assert chat.get(path, ana).status_code == 200
    assert chat.get(path + "?token=", ana).status_code == 200
    missing = chat.get(path)
    assert missing.status_code == 422
    assert missing.json()["detail"][0]["type"] == "missing"
    assert missing.json()["detail"][0]["loc"] == ["query", "token"]
    empty = chat.get(path + "?token=")
    assert (empty.status_code, empty.json()) == (401, {"detail": "Token is required"})
    query_wins = chat.get(path, ana, params={"token": "bad"})
    assert (query_wins.status_code, query_wins.json()) == BAD_TOKEN


def test_bad_tokens_and_inactive_users(chat: Chat) -> None:
    ana, off = chat.user(), chat.user(active=False)
    path = f"/api/ws/rooms/{chat.room(ana)}/online"
    refused = [off.token, tokens.sign_for(ana.username, SECRET_KEY, -5), tokens.sign_for(unique("no"), SECRET_KEY), "x"]
    for token in refused:
        in_query = chat.get(path, params={"token": token})
        in_header = chat.get(path, headers={"Authorization": f"Bearer {token}"})
        for answer in (in_query, in_header):
            assert (answer.status_code, answer.json()) == BAD_TOKEN
            assert "www-authenticate" not in answer.headers


def test_rooms(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    private = chat.room(ana, private=True)
    for number in (0, -1, 2**31, 2**63 - 1, 2**63):
        answer = chat.get(f"/api/ws/rooms/{number}/online", ana)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Room not found"}), number
    denied = chat.get(f"/api/ws/rooms/{private}/online", eva)
    assert (denied.status_code, denied.json()) == (403, {"detail": "Access denied to this room"})
    assert chat.get(f"/api/ws/rooms/{private}/online", ana).status_code == 200
    assert chat.get("/api/ws/rooms/abc/online", ana).status_code == 422
    first_the_token = chat.get("/api/ws/rooms/abc/online", params={"token": "bad"})
    assert (first_the_token.status_code, first_the_token.json()) == BAD_TOKEN
