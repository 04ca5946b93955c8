"""The official JavaScript client against each system, over each order of transports."""

import pytest
from harness.chat import Chat, unique
from harness.node import Node
from harness.siblings import LIVEKIT_KEY, LIVEKIT_SECRET, LIVEKIT_URL, Sibling, external_token

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]
over_each_transport = pytest.mark.parametrize("transports", TRANSPORTS, ids="-".join)


@over_each_transport
def test_meetings(chat: Chat, node: Node, transports: list[str]) -> None:
    tokens = {name: external_token(userId=name) for name in ("ana", "beto")}
    ana, beto = {"userId": "ana", "name": "Ana"}, {"userId": "beto", "name": "Beto"}
    assert node.run(chat, "meetings.mjs", transports=transports, tokens=tokens) == {
        "refused": "Token inválido",
        "joined": [{**ana, "participantCount": 1}, [ana]],
        "bothOk": {"ok": True},
        "list": [ana, beto],
        "message": {"author": "Ana", "text": "año 😀", "userId": "ana"},
        "error": "Datos inválidos",
        "ended": ["La reunión ha terminado."] * 2,
        "left": {"userId": "beto", "participantCount": 1},
    }


@over_each_transport
def test_calls(chat: Chat, node: Node, transports: list[str]) -> None:
    tokens = {name: chat.user(name).token for name in ("ana", "beto")}
    livekit = {"key": LIVEKIT_KEY, "secret": LIVEKIT_SECRET}
    seen = node.run(chat, "calls.mjs", transports=transports, tokens=tokens, livekit=livekit)
    assert seen == {"refused": "Authentication error", "url": LIVEKIT_URL, "names": ["Ana", "Beto"]}


@over_each_transport
def test_webrtc(chat: Chat, webrtc: Sibling, node: Node, transports: list[str]) -> None:
    tokens = {name: webrtc.account(name).token for name in ("ana", "beto")}
    assert node.run(chat, "webrtc.mjs", transports=transports, tokens=tokens, room=unique("Room")) == {
        "refused": "Authentication error",
        "joined": True,
        "counts": [2, 2],
        "content": "año 😀",
        "same": True,
        "tempId": {"a": [1]},
        "ringing": [True, "audio", True],
        "signals": [{"sdp": "v=0"}, [1, 2], {"sdp": "v=1"}, None],
        "ended": "disconnected",
        "left": True,
        "missing": "Target not found",
    }
