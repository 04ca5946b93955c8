"""Events that clients of the contract do not know go to those who asked for them."""

import pytest
from harness.chat import Chat

INVALID = "Formato de mensaje inválido"


def test_the_answer_names_all_that_was_asked_for(chat: Chat) -> None:
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    socket, other = chat.connect_all(room, ana, beto)
    for asked, answered in (
        (["typing"], ["typing"]),
        ([], ["typing"]),
        (["changes", "typing", "changes"], ["changes", "typing"]),
        (["read"], ["changes", "read", "typing"]),
    ):
        socket.send({"type": "subscribe", "events": asked})
        assert socket.receive() == {"type": "subscribed", "events": answered}
    chat.expect_nothing(room, ana, socket, other)


def test_what_is_no_list_of_kinds_changes_nothing(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    for frame in ({}, {"events": None}, {"events": "changes"}, {"events": ["changes", 5]}, {"events": {"changes": 1}}):
        socket.send({"type": "subscribe", **frame})
        socket.expect_error(INVALID)
    socket.send({"type": "subscribe", "events": ["changes", "baile"]})
    socket.expect_error("Tipo de evento desconocido: baile")
    socket.send({"type": "subscribe", "events": []})
    assert socket.receive() == {"type": "subscribed", "events": []}


@pytest.mark.parametrize(
    ("query", "answered"),
    [("changes,read", ["changes", "read"]), ("baile,typing,", ["typing"]), ("%63hanges", ["changes"]), ("", [])],
)
def test_a_handshake_can_ask(chat: Chat, query: str, answered: list[str]) -> None:
    ana = chat.user()
    room = chat.room(ana)
    socket = chat.connect(room, ana, events=query)
    # The handshake itself is not answered otherwise than any.
    socket.expect_quiet()
    socket.send({"type": "subscribe", "events": []})
    assert socket.receive() == {"type": "subscribed", "events": answered}
