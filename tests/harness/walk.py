"""A short walk through the service, for tests about what stands around it."""

import asyncio

import httpx

from harness.chat import Chat
from harness.engine import scenario
from harness.flows import Place, calls, izpo, meetings, webrtc, ws_hub

LARGE_FILE = b"%PDF-1.7\n" + bytes(3_000_000)


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


def assert_all_systems_work(chat: Chat) -> None:
    """The walk above, an upload that no buffer holds, and a client of each system; needs ``SETTINGS`` of the siblings.

    Socket.IO is spoken over polling, and over polling with an upgrade to WebSocket.
    """
    assert_chat_works(chat)
    ana = chat.user()
    answer = chat.post("/api/uploads/", ana, files={"file": ("a.bin", LARGE_FILE, "application/pdf")})
    assert answer.status_code == 201, answer.text
    assert chat.get(f"/api/uploads/{answer.json()['id']}/download", ana).content == LARGE_FILE
    scenario(_walk_as_clients_of_all)(chat=chat)


async def _walk_as_clients_of_all(chat: Chat) -> None:
    verify = True if chat.context is None else chat.context
    base_url = chat.server.base_url
    async with httpx.AsyncClient(base_url=base_url, verify=verify, timeout=60, trust_env=False) as http:
        polling, upgraded = (Place(chat, http, transports) for transports in (("polling",), ("polling", "websocket")))
        async with asyncio.TaskGroup() as group:
            for walk, place in (
                (izpo.run, upgraded),
                (calls.run, polling),
                (meetings.run, polling),
                (meetings.run, upgraded),
                (webrtc.run_without_sign_up, upgraded),
                (ws_hub.run, upgraded),
            ):
                group.create_task(walk(place, 1))
