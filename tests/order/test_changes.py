"""Messages that are edited and deleted: who may, what others see, and in what order."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from harness.chat import Chat, User
from harness.pool import ServerPool

NOT_FOUND = "Mensaje no encontrado"
NOT_YOURS = "No tienes permisos para modificar este mensaje"
EMPTY = "Mensaje vacío"


def refused_edit(chat: Chat, room: object, user: User, message: object) -> tuple[int, object]:
    """What editing is answered with."""
    answer = chat.call("PATCH", f"/api/rooms/{room}/messages/{message}", user, json={"content": "otra"})
    return answer.status_code, answer.json()["detail"]


def refused(chat: Chat, room: object, user: User, message: object) -> list[tuple[int, object]]:
    """What editing and deleting are answered with."""
    deleting = chat.call("DELETE", f"/api/rooms/{room}/messages/{message}", user)
    return [refused_edit(chat, room, user, message), (deleting.status_code, deleting.json()["detail"])]


def test_an_edit_is_seen_by_those_who_asked(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    asking = chat.connect(room, beto, events="changes")
    other = chat.connect(room, beto)
    message = chat.say(room, ana, "hola")
    asking.expect("message")
    edited = chat.edit(room, ana, message["id"], "  adiós ")
    assert list(edited) == [*message, "edited_at"]
    assert {**edited, "content": "hola"} == {**message, "edited_at": edited["edited_at"]}
    assert edited["content"] == "  adiós "
    assert edited["edited_at"].endswith("Z")
    frame = asking.expect("message_edited")
    assert list(frame) == ["type", "id", "seq", "room_id", "content", "edited_at", "change"]
    assert (frame["id"], frame["seq"], frame["room_id"]) == (message["id"], 1, room)
    assert (frame["content"], frame["change"]) == ("  adiós ", 1)
    assert datetime.fromisoformat(frame["edited_at"]) == datetime.fromisoformat(edited["edited_at"])
    assert chat.history(room, beto) == [edited]
    assert chat.get(f"/api/rooms/{room}/messages?after_seq=0", ana).json() == [edited]
    other.expect("message")
    chat.expect_nothing(room, ana, asking, other)


def test_a_deleted_message_is_a_tombstone(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    file_id = chat.store_file(beto)
    message = chat.say(room, beto, "secreto", file_id=file_id)
    chat.say(room, beto, "otro")
    asking = chat.connect(room, ana, events="changes")
    assert chat.get(f"/api/uploads/{file_id}", ana).status_code == 200
    # By the owner of the room.
    chat.delete(room, ana, message["id"])
    frame = asking.expect("message_deleted")
    assert list(frame) == ["type", "id", "seq", "room_id", "deleted_at", "deleted_by", "change"]
    assert (frame["id"], frame["seq"], frame["deleted_by"], frame["change"]) == (message["id"], 1, ana.id, 1)
    chat.delete(room, ana, message["id"])
    chat.delete(room, beto, message["id"])
    tombstone, second = chat.history(room, beto)
    assert list(tombstone) == [*message, "deleted_at"]
    assert (tombstone["content"], tombstone["file"], tombstone["file_id"]) == ("", None, None)
    assert (tombstone["seq"], second["seq"]) == (1, 2)
    # The file is its owner's as before, and nobody else's.
    assert chat.get(f"/api/uploads/{file_id}", beto).status_code == 200
    assert chat.get(f"/api/uploads/{file_id}", ana).status_code == 403
    assert refused_edit(chat, room, beto, message["id"]) == (404, NOT_FOUND)
    chat.expect_nothing(room, ana, asking)


def test_who_may(chat: Chat) -> None:
    ana, beto, carla = chat.users("ana", "beto", "carla")
    room, other_room, private = chat.room(ana), chat.room(beto), chat.room(ana, private=True)
    of_beto = chat.say(room, beto, "hola")["id"]
    of_ana = chat.say(private, ana, "hola")["id"]
    assert refused(chat, room, carla, of_beto) == [(403, NOT_YOURS)] * 2
    # Nobody edits what somebody else has said.
    assert refused_edit(chat, room, ana, of_beto) == (403, NOT_YOURS)
    assert refused(chat, private, beto, of_ana) == [(403, "Access denied to this room")] * 2
    for message in (of_ana, 0, -1, 2**40):
        assert refused(chat, room, ana, message) == [(404, NOT_FOUND)] * 2
    assert refused(chat, other_room, beto, of_beto) == [(404, NOT_FOUND)] * 2
    assert refused(chat, 2**30, ana, of_ana) == [(404, "Sala no encontrada")] * 2
    assert chat.get(f"/api/rooms/{private}/changes", beto).status_code == 403
    assert [item["content"] for item in chat.history(room, ana)] == ["hola"]


def test_a_body_is_checked_like_a_message(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    path = f"/api/rooms/{room}/messages/{chat.say(room, ana, 'hola')['id']}"
    for body in ({}, {"content": None}, {"content": 5}, {"content": "a\0"}, {"content": "x" * 131_073}):
        assert chat.call("PATCH", path, ana, json=body).status_code == 422
    assert chat.call("PATCH", path, ana, json={"content": ""}).json()["content"] == ""
    assert chat.call("PATCH", path, json={"content": "x"}).status_code == 403


def test_sockets_edit_and_delete(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    socket, other = chat.connect_all(room, ana, beto)
    socket.send({"type": "subscribe", "events": ["changes"]})
    socket.expect("subscribed")
    message = chat.say(room, ana, "hola", file_id=chat.store_file(ana))
    seen = [it.expect("message") for it in (socket, other)]
    assert seen[0] == seen[1]
    socket.send({"type": "edit", "id": message["id"], "content": "  adiós ", "client_id": "e-1"})
    frame, ack = socket.expect("message_edited"), socket.expect("ack")
    assert frame["content"] == "adiós"
    assert list(ack) == ["type", "client_id", "id", "seq", "timestamp", "change"]
    assert (ack["client_id"], ack["id"], ack["seq"], ack["change"]) == ("e-1", message["id"], 1, 1)
    assert ack["timestamp"] == frame["edited_at"]
    # The same text is no change, and the file still makes up for a text.
    socket.send({"type": "edit", "id": message["id"], "content": "adiós", "client_id": "e-2"})
    assert socket.expect("ack")["change"] == 1
    socket.send({"type": "edit", "id": message["id"], "content": " "})
    assert socket.expect("message_edited")["content"] == ""
    socket.send({"type": "delete", "id": message["id"], "client_id": "d-1"})
    frame, ack = socket.expect("message_deleted"), socket.expect("ack")
    assert (frame["change"], ack["change"], ack["timestamp"]) == (3, 3, frame["deleted_at"])
    socket.send({"type": "delete", "id": message["id"], "client_id": "d-2"})
    assert {**socket.expect("ack"), "client_id": "d-1"} == ack
    chat.expect_nothing(room, ana, socket, other)


def test_what_a_socket_may_not(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    of_ana, of_beto = (chat.say(room, user, "hola")["id"] for user in (ana, beto))
    socket = chat.connect(room, beto, events="changes")
    for frame, error in (
        ({"type": "edit", "id": of_ana, "content": "x"}, NOT_YOURS),
        ({"type": "delete", "id": of_ana}, NOT_YOURS),
        ({"type": "edit", "id": 2**40, "content": "x"}, NOT_FOUND),
        ({"type": "edit", "id": of_beto, "content": "\n"}, EMPTY),
    ):
        socket.send({**frame, "client_id": "c"})
        assert socket.receive() == {"type": "error", "message": error, "client_id": "c"}
    for frame in ({"type": "edit", "id": of_beto}, {"type": "delete"}, {"type": "edit", "content": "x"}):
        socket.send(frame)
        socket.expect_error("Formato de mensaje inválido")
    assert [item["content"] for item in chat.history(room, ana)] == ["hola", "hola"]


def test_sent_again_it_is_the_same_change(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    message = chat.say(room, ana, "uno")["id"]
    socket = chat.connect(room, ana)
    acks = []
    for content, client_id in (("dos", "a"), ("tres", "b"), ("dos", "a")):
        socket.send({"type": "edit", "id": message, "content": content, "client_id": client_id})
        acks.append(socket.expect("ack"))
    assert acks[2] == acks[0]
    assert [ack["change"] for ack in acks] == [1, 2, 1]
    assert chat.history(room, ana)[0]["content"] == "tres"


def test_editors_at_once_are_seen_in_one_order(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    messages = [(user, chat.say(room, user, "")["id"]) for user in (ana, ana, beto)]
    readers = [chat.connect(room, user, events="changes") for user in (ana, beto)]
    readers[0].expect("user_joined")

    def edit(job: tuple[User, int]) -> None:
        for number in range(15):
            chat.edit(room, job[0], job[1], str(number))

    with ThreadPoolExecutor(4) as executor:
        # The second message has two editors.
        list(executor.map(edit, [*messages, messages[1]]))
    last = chat.get(f"/api/rooms/{room}/changes", ana).json()[-1]["change"]
    seen = [[reader.expect("message_edited") for _ in range(last)] for reader in readers]
    assert seen[0] == seen[1]
    assert [frame["change"] for frame in seen[0]] == list(range(1, last + 1))
    newest = {frame["id"]: frame["content"] for frame in seen[0]}
    assert newest == {item["id"]: item["content"] for item in chat.history(room, ana)}


def test_a_client_that_comes_back_learns_what_changed(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    ids = [chat.say(room, ana, content)["id"] for content in ("uno", "dos", "tres", "cuatro")]
    chat.edit(room, ana, ids[3], "visto")
    chat.edit(room, ana, ids[0], "UNO")
    chat.delete(room, ana, ids[1])
    chat.edit(room, ana, ids[0], "Uno")
    back = chat.connect(room, beto, since=2, since_change=1, events="changes")
    changes = {"from": 1, "to": 4, "complete": True}
    assert back.expect("resumed") == {"type": "resumed", "from": 2, "to": 4, "complete": True, "changes": changes}
    assert [back.expect("message")["content"] for _ in range(2)] == ["tres", "visto"]
    deleted, edited = back.expect("message_deleted"), back.expect("message_edited")
    assert (deleted["id"], deleted["change"]) == (ids[1], 3)
    assert (edited["id"], edited["content"], edited["change"]) == (ids[0], "Uno", 4)
    chat.edit(room, ana, ids[2], "TRES")
    assert back.expect("message_edited")["change"] == 5
    # From memory, and on an open socket.
    back.send({"type": "resume", "since_seq": 4, "since_change": 3})
    assert back.expect("resumed")["changes"] == {"from": 3, "to": 5, "complete": True}
    assert [back.expect("message_edited")["change"] for _ in range(2)] == [4, 5]
    answers = chat.get(f"/api/rooms/{room}/changes?after=3", beto).json()
    assert [(item["type"], item["id"], item["change"]) for item in answers] == [
        ("message_edited", ids[0], 4),
        ("message_edited", ids[2], 5),
    ]
    chat.expect_nothing(room, ana, back)


def test_what_was_deleted_is_in_no_replay(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    chat.connect(room, beto)
    secret = chat.say(room, ana, "secreto")["id"]
    # Now the newest messages are in memory.
    first = chat.connect(room, ana, since=0)
    first.expect("resumed")
    assert first.expect("message")["content"] == "secreto"
    chat.delete(room, ana, secret)
    later = chat.say(room, ana, "luego")["id"]
    chat.edit(room, ana, later, "después")
    back = chat.connect(room, beto, since=0)
    assert "changes" not in back.expect("resumed")
    tombstone, edited = back.expect("message"), back.expect("message")
    assert (tombstone["content"], tombstone["file_id"]) == ("", None)
    assert list(tombstone)[-2:] == ["seq", "deleted_at"]
    assert (edited["content"], list(edited)[-1]) == ("después", "edited_at")


@pytest.mark.parametrize("query", ["since_change=1", "since_seq=0&since_change=-1", "since_seq=0&since_change=x"])
def test_what_is_no_place_among_the_changes_is_refused(chat: Chat, query: str) -> None:
    ana = chat.user()
    room = chat.room(ana)
    assert chat.refused(room, f"{ana.token}&{query}") == (403, b"")


def test_too_many_changes_are_paged(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={"RESUME_MAX_MESSAGES": "3"})
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    ids = [chat.say(room, ana, str(number))["id"] for number in range(5)]
    for message in ids:
        chat.edit(room, ana, message, "x")
    socket = chat.connect(room, ana, since=5, since_change=1)
    where = f"/api/rooms/{room}/changes?after=1"
    changes = {"from": 1, "to": 5, "complete": False, "history": where}
    assert socket.expect("resumed") == {"type": "resumed", "from": 5, "to": 5, "complete": True, "changes": changes}
    pages = [chat.get(f"/api/rooms/{room}/changes?after={after}&limit=2", ana).json() for after in (1, 3, 5)]
    assert [[item["change"] for item in page] for page in pages] == [[2, 3], [4, 5], []]
    unknown = chat.connect(room, ana, since=5, since_change=77)
    assert unknown.expect("resumed")["changes"]["complete"] is False
    chat.close_sockets()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_after_a_restart(servers: ServerPool, kind: str) -> None:
    chat = servers.prepare(kind)
    chat.server.start()
    ana = chat.user()
    room = chat.room(ana)
    ids = [chat.say(room, ana, content)["id"] for content in ("uno", "dos")]
    chat.edit(room, ana, ids[0], "UNO")
    chat.delete(room, ana, ids[1])
    chat.server.kill()
    chat.server.start()
    # A process of the original shows what is in its tables.
    rows = chat.database.rows("select content from messages order by id")
    assert [row[0] for row in rows] == ["UNO", ""]
    socket = chat.connect(room, ana, since=0, since_change=0, events="changes")
    assert socket.expect("resumed")["changes"] == {"from": 0, "to": 2, "complete": True}
    assert [socket.expect("message")["content"] for _ in range(2)] == ["UNO", ""]
    assert socket.expect("message_edited")["change"] == 1
    assert socket.expect("message_deleted")["change"] == 2
    chat.edit(room, ana, ids[0], "una")
    assert socket.expect("message_edited")["change"] == 3
    chat.close_sockets()
