"""A message with a ``client_id`` is acknowledged once it is stored, and stored once however often it is sent."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from harness.chat import Chat


def test_the_sender_gets_an_acknowledgement(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    first, other = chat.connect_all(room, ana, beto)
    second = chat.connect(room, ana)
    first.say("hola", client_id="c-1")
    message, ack = first.expect("message"), first.expect("ack")
    assert list(ack) == ["type", "client_id", "id", "seq", "timestamp"]
    assert (ack["client_id"], ack["id"], ack["seq"]) == ("c-1", message["id"], 1)
    assert datetime.fromisoformat(ack["timestamp"]) == datetime.fromisoformat(message["timestamp"])
    assert message["client_id"] == "c-1"
    # The sender's other sockets can find their copy, others see nothing of it.
    assert second.expect("message") == message
    assert "client_id" not in other.expect("message")


def test_a_message_without_a_name_is_not_acknowledged(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    socket.say("hola")
    assert "client_id" not in socket.expect("message")
    socket.expect_quiet()


def test_sent_again_it_is_the_same_message(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    first, other = chat.connect_all(room, ana, beto)
    first.say("hola", client_id="c-1")
    first.expect("message")
    ack = first.expect("ack")
    other.expect("message")
    first.say("otra cosa", client_id="c-1")
    assert first.expect("ack") == ack
    again = chat.connect(room, ana)
    again.say("hola", client_id="c-1")
    assert again.expect("ack") == ack
    by_rest = chat.post(
        f"/api/rooms/{room}/messages", ana, json={"content": "tercera"}, headers={"Idempotency-Key": "c-1"}
    )
    assert (by_rest.status_code, by_rest.json()["id"], by_rest.json()["content"]) == (201, ack["id"], "hola")
    assert [item["content"] for item in chat.history(room, ana)] == ["hola"]
    chat.expect_nothing(room, ana, other)


def test_a_key_over_rest(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    file_id = chat.store_file(ana)

    def send(**body: object) -> dict[str, object]:
        answer = chat.post(f"/api/rooms/{room}/messages", ana, json=body, headers={"Idempotency-Key": "k 1"})
        assert answer.status_code == 201, answer.text
        message = answer.json()
        assert isinstance(message, dict)
        return message

    sent = send(content="hola", file_id=file_id)
    assert send(content="hola", file_id=file_id) == sent
    assert send(content="otra") == sent
    assert socket.expect("message")["client_id"] == "k 1"
    chat.expect_nothing(room, beto, socket)


def test_a_key_gives_the_message_as_it_is_now(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)

    def send() -> dict[str, object]:
        answer = chat.post(
            f"/api/rooms/{room}/messages", ana, json={"content": "hola"}, headers={"Idempotency-Key": "k 1"}
        )
        assert answer.status_code == 201, answer.text
        message = answer.json()
        assert isinstance(message, dict)
        return message

    sent = send()
    edited = chat.edit(room, ana, int(str(sent["id"])), "adiós")
    assert "edited_at" in edited
    assert send() == edited
    chat.delete(room, ana, int(str(sent["id"])))
    assert [send()] == chat.history(room, ana)


def test_names_belong_to_a_sender_and_a_room(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room, other_room = chat.room(ana), chat.room(ana)
    ids = set()
    for user in (ana, beto):
        for place in (room, other_room):
            socket = chat.connect(place, user)
            socket.say("hola", client_id="same")
            socket.expect("message")
            ids.add(socket.expect("ack")["id"])
            socket.close()
    assert len(ids) == 4


def test_the_same_one_from_many_sides_at_once_is_stored_once(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)

    def send(_: int) -> int:
        answer = chat.post(
            f"/api/rooms/{room}/messages", ana, json={"content": "hola"}, headers={"Idempotency-Key": "race"}
        )
        assert answer.status_code == 201, answer.text
        number = answer.json()["id"]
        assert isinstance(number, int)
        return number

    with ThreadPoolExecutor(8) as executor:
        ids = set(executor.map(send, range(24)))
    assert len(ids) == 1
    assert len(chat.history(room, ana)) == 1


def test_after_a_day_a_name_is_free_again(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    acks = []
    for _ in range(2):
        socket.say("hola", client_id="old")
        socket.expect("message")
        acks.append(socket.expect("ack"))
        long_ago = "2020-01-01 00:00:00" if chat.database.is_sqlite else "2020-01-01 00:00:00+00"
        chat.database.rows("update message_receipts set created_at = ? where sender_id = ?", long_ago, ana.id)
    assert [ack["seq"] for ack in acks] == [1, 2]


def test_a_refused_message_names_itself(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    socket.say("hola", file_id=999_999, client_id="c-1")
    assert socket.receive() == {"type": "error", "message": "Archivo no encontrado", "client_id": "c-1"}
    # It was not stored: the name is still free.
    socket.say("hola", client_id="c-1")
    socket.expect("message")
    assert socket.expect("ack")["seq"] == 1


@pytest.mark.parametrize("client_id", ["", "x" * 129, "a\nb", 7, ["a"]])
def test_what_is_no_name_is_refused(chat: Chat, client_id: object) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    socket.say("hola", client_id=client_id)
    socket.expect_error("Formato de mensaje inválido")
    assert chat.history(room, ana) == []


@pytest.mark.parametrize("key", ["x" * 129, "ñ", ""])
def test_what_is_no_key_is_refused(chat: Chat, key: str) -> None:
    ana = chat.user()
    room = chat.room(ana)
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = chat.call(
        "POST", f"/api/rooms/{room}/messages", json={"content": "hola"}, headers={**ana.headers, **headers}
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"] == ["header", "idempotency-key"]
    assert chat.history(room, ana) == []
