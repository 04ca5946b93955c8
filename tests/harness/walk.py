"""A short walk through the service, for tests about what stands around it."""

from harness.chat import Chat


def assert_chat_works(chat: Chat) -> None:
    """Requests, two sockets, a message each way, an error, a refusal and the end."""
    ana, beto = chat.users("ana", "beto")
    room = chat.room(ana)
    first, second = chat.connect_all(room, ana, beto)
    first.say("hola ñ")
    assert first.expect("message") == second.expect("message")
    assert chat.say(room, beto, "por REST")["id"] == first.expect("message")["id"] == second.expect("message")["id"]
    second.send_raw("nonsense")
    second.expect_error("Formato de mensaje inválido")
    assert chat.online(room, ana) == [ana.id, beto.id]
    assert chat.refused(room, "bad")[0] == 403
    second.close()
    assert first.expect("user_left")["user_id"] == beto.id
    assert [message["content"] for message in chat.history(room, ana)] == ["hola ñ", "por REST"]
    chat.close_sockets()
