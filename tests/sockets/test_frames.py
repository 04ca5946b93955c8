"""Every frame and every error: sections 6.2 to 6.4 of the contract."""

import json

import pytest
from harness.chat import Chat, unique

INVALID, EMPTY = "Formato de mensaje inválido", "Mensaje vacío"
NO_FILE, FILE_DENIED = "Archivo no encontrado", "No tienes acceso a este archivo"


def test_a_message_reaches_everybody_and_is_stored(chat: Chat) -> None:
    ana, beto = chat.user(full_name="Ana Ñ"), chat.user("beto")
    room = chat.room(ana)
    first, second, again = chat.connect_all(room, ana, beto, ana)
    first.say("  hola ñ 😀\u2028 \n", extra=1)
    frame = first.expect("message")
    assert list(frame) == ["type", "id", "content", "room_id", "sender", "file_id", "timestamp", "seq"]
    assert (frame["content"], frame["room_id"], frame["file_id"]) == ("hola ñ 😀", room, None)
    assert frame["sender"] == {"id": ana.id, "username": ana.username, "full_name": "Ana Ñ"}
    assert list(frame["sender"]) == ["id", "username", "full_name"]
    assert second.receive() == again.receive() == frame
    stored = chat.history(room, beto)
    assert [(item["id"], item["content"]) for item in stored] == [(frame["id"], frame["content"])]
    assert frame["timestamp"].endswith("+00:00")
    assert frame["timestamp"].removesuffix("+00:00") == stored[0]["created_at"].removesuffix("Z")


def test_a_missing_type_means_message(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    socket.send({"content": "x"})
    assert socket.expect("message")["content"] == "x"


def test_a_message_over_rest_reaches_the_sockets(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    sockets = chat.connect_all(room, ana, beto)
    sent = chat.say(room, ana, "  as it is  ")
    for socket in sockets:
        frame = socket.expect("message")
        assert (frame["id"], frame["content"], frame["sender"]["id"]) == (sent["id"], "  as it is  ", ana.id)
        assert list(frame) == ["type", "id", "content", "room_id", "sender", "file_id", "timestamp", "seq"]


def test_typing_goes_to_the_others_as_a_truth_value(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    first, again, other = chat.connect_all(room, ana, ana, beto)
    values: list[tuple[object, bool]] = [
        (True, True),
        (False, False),
        (None, False),
        (1, True),
        (0, False),
        ("yes", True),
        ("", False),
        ([], False),
    ]
    frames = []
    # One after the other: of several at once only the newest may be sent.
    for message in (*({"type": "typing", "typing": sent} for sent, _ in values), {"type": "typing"}):
        first.send(message)
        frames.append(other.expect("typing"))
    assert list(frames[0]) == ["type", "user_id", "username", "typing", "timestamp"]
    assert (frames[0]["user_id"], frames[0]["username"]) == (ana.id, ana.username)
    assert [frame["typing"] for frame in frames] == [*(shown for _, shown in values), False]
    chat.expect_nothing(room, ana, first, again, other)


def test_ping_is_answered_to_the_asking_socket_only(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    first, second = chat.connect_all(room, ana, ana)
    first.send({"type": "ping", "x": [1]})
    pong = first.expect("pong")
    assert (list(pong), pong["user_id"]) == (["type", "user_id", "timestamp"], ana.id)
    chat.expect_nothing(room, ana, first, second)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ({"type": "message"}, EMPTY),
        ({"type": "message", "content": ""}, EMPTY),
        ({"type": "message", "content": " \t\r\n\u00a0\u3000 "}, EMPTY),
        ({"type": "message", "content": None}, EMPTY),
        ({"type": "message", "content": "", "file_id": None}, EMPTY),
        ({}, EMPTY),
        *(
            ({"type": "message", "content": value}, INVALID)
            for value in (5, 1.5, [], ["x"], {}, {"a": 1}, True, False, 0)
        ),
        ({"type": "message", "content": "a\x00b"}, INVALID),
        *(({"type": "message", "content": "x", "file_id": value}, INVALID) for value in ("x", 1.5, [], {}, "", "1.5")),
        *(({"type": "message", "content": "x", "file_id": value}, NO_FILE) for value in (999_999, "999999", 999_999.0)),
        *(({"type": "message", "content": "x", "file_id": value}, NO_FILE) for value in (-1, 0, 2**31, 2**62)),
        ({"type": "nope"}, "Tipo de mensaje desconocido: nope"),
        ({"type": "Message", "content": "x"}, "Tipo de mensaje desconocido: Message"),
        ({"type": "ñ 😀"}, "Tipo de mensaje desconocido: ñ 😀"),
        ({"type": "welcome"}, "Tipo de mensaje desconocido: welcome"),
    ],
    ids=repr,
)
def test_errors_go_to_the_offender_and_the_socket_stays_usable(chat: Chat, frame: object, error: str) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    offender, other = chat.connect_all(room, ana, beto)
    offender.send(frame)
    offender.expect_error(error)
    offender.say("still here")
    assert offender.expect("message")["content"] == "still here"
    assert other.expect("message")["content"] == "still here"
    assert len(chat.history(room, ana)) == 1


RAW_FRAMES = [
    "",
    "hola",
    "{",
    '{"type":"ping"} x',
    '{"type":"ping"}{"type":"ping"}',
    "{'type': 'ping'}",
    "[]",
    '"ping"',
    "5",
    "null",
    "true",
    "[" * 200_000,
    '{"a":' * 100_000,
    '{"type":"message","content":"\\ud800"}',
    '{"type":"message","content":"\\udc00\\ud800"}',
    '{"type":"message","content":"\\u0000"}',
    b"",
    b'{"type":"ping"}',
    b"\x00\xff",
]


@pytest.mark.parametrize("raw", RAW_FRAMES, ids=lambda raw: repr(raw[:24]))
def test_frames_that_are_no_json_object(chat: Chat, raw: str | bytes) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    socket.send_raw(raw)
    socket.expect_error(INVALID)
    socket.expect_quiet()
    assert chat.history(room, ana) == []


@pytest.mark.parametrize("kind", [5, None, [], {}, True, 1.5])
def test_a_type_that_is_no_string_is_unknown(chat: Chat, kind: object) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    socket.send({"type": kind, "content": "x"})
    error = socket.expect("error")
    assert list(error) == ["type", "message"]
    assert error["message"].startswith("Tipo de mensaje desconocido: ")
    socket.expect_quiet()


def test_texts_up_to_the_limit_pass_and_longer_ones_are_errors(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana)
    for text in ("x" * 100_000, "😀" * 100_000):
        socket.say(text)
        assert socket.expect("message")["content"] == text
    socket.say("x" * 3_000_000)
    assert socket.expect("error")["message"]
    socket.expect_quiet()
    assert len(chat.history(room, ana)) == 2


def test_files(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    first, other = chat.connect_all(room, ana, beto)
    file_id = chat.store_file(ana)
    other.say("x", file_id=file_id)
    other.expect_error(FILE_DENIED)
    for sent in (file_id, str(file_id), float(file_id)):
        first.say("", file_id=sent)
        frame = first.expect("message")
        assert list(frame)[-3:] == ["timestamp", "file", "seq"]
        assert (frame["content"], frame["file_id"]) == ("", file_id)
        assert list(frame["file"]) == ["id", "original_filename", "public_url", "content_type", "file_size"]
        assert (frame["file"]["id"], frame["file"]["file_size"]) == (file_id, 5)
        assert other.receive() == frame
    other.say("shared now", file_id=file_id)
    assert other.expect("message")["file"]["id"] == file_id
    assert [item["file_id"] for item in chat.history(room, ana)] == [file_id] * 4


def test_a_user_who_is_no_member_may_write_in_a_public_room(chat: Chat) -> None:
    ana, eva = chat.users("ana", "eva")
    room = chat.room(ana)
    socket = chat.connect(room, eva)
    socket.say("hola")
    assert socket.expect("message")["sender"]["id"] == eva.id
    assert [member["id"] for member in chat.get(f"/api/rooms/{room}", ana).json()["members"]] == [ana.id]


def test_new_names_show_in_the_next_message(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    first, other = chat.connect_all(room, ana, beto)
    name = unique("nueva")
    assert chat.put("/api/users/me", ana, json={"username": name, "full_name": "Otra"}).status_code == 200
    first.say("hola")
    sender = {"id": ana.id, "username": name, "full_name": "Otra"}
    assert first.expect("message")["sender"] == sender
    assert other.expect("message")["sender"] == sender
    first.send({"type": "typing", "typing": True})
    assert other.expect("typing")["username"] == name


def test_rooms_are_independent(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    here, there = chat.room(ana), chat.room(ana)
    one, two = chat.connect(here, ana), chat.connect(there, beto)
    one.say("here")
    one.expect("message")
    one.send({"type": "typing", "typing": True})
    two.expect_quiet()
    chat.expect_nothing(there, ana, two)
    chat.join(here, beto)
    assert chat.post(f"/api/rooms/{here}/leave", beto).status_code == 200
    chat.expect_nothing(here, ana, one)


def test_frames_are_json_text_of_one_object(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana, welcomed=False)
    for _ in range(2):
        assert isinstance(json.loads(socket.receive_text()), dict)
