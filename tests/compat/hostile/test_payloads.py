"""Generated payloads for the events and frames of each system: every one is answered once, and nothing else happens."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from harness.chat import Chat, unique
from harness.engine import EngineSocket
from harness.faces import Face
from harness.payloads import bounded, objects, values
from harness.siblings import Sibling, external_token
from hypothesis import given
from hypothesis import strategies as st

MEETING_EVENTS = ["join-meeting", "leave-meeting", "end-meeting", "send-message"]
SIGNALLING_EVENTS = [
    *("join-room", "leave-room", "send-message", "webrtc-offer", "webrtc-answer", "webrtc-ice-candidate"),
    *("initiate-call", "accept-call", "reject-call", "end-call"),
]


class Speaker:
    """A raw client that numbers its events and counts their acknowledgements."""

    def __init__(self, socket: EngineSocket, prefix: str) -> None:
        self._socket, self._prefix = socket, prefix
        self._count = 0

    async def say(self, events: list[tuple[str, list[Any]]]) -> None:
        """Say all of them and wait until each has been answered exactly once."""
        awaited = set()
        for event, arguments in events:
            self._count += 1
            awaited.add(self._count)
            await self._socket.send(f"42{self._prefix}{self._count}{json.dumps([event, *arguments])}")
        while awaited:
            message = await self._socket.next()
            assert isinstance(message, str)
            if message.startswith(f"43{self._prefix}"):
                number, _, answer = message.removeprefix(f"43{self._prefix}").partition("[")
                awaited.remove(int(number))
                assert json.loads(f"[{answer}")[0]["ok"] in {True, False}


def explore(face: Face, names: list[str], *known: str) -> None:
    """Say generated events on one connection, which lives through all of them."""
    payload = values(*known) | objects(*known)
    event = st.tuples(st.sampled_from(names), st.lists(payload, max_size=2) | payload.map(lambda one: [one]))

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        socket = runner.run(stack.enter_async_context(face.joined()))
        speaker = Speaker(socket, face.prefix)

        @bounded
        @given(st.lists(event, min_size=1, max_size=8))
        def say(events: list[tuple[str, list[Any]]]) -> None:
            runner.run(speaker.say(events))

        try:
            say()
        finally:
            runner.run(stack.aclose())
    assert face.chat.get("/health").status_code == 200


def test_events_of_meetings(meetings: Sibling) -> None:
    token = external_token(userId="somebody")
    made = [meetings.post("/api/meetings", token).json()["meeting"]["id"] for _ in range(2)]
    explore(Face(meetings, meetings.mount, token), MEETING_EVENTS, "somebody", *made)


def test_events_of_webrtc(webrtc: Sibling) -> None:
    ana, beto = webrtc.accounts("ana", "beto")
    rooms = [webrtc.post("/api/rooms", ana.token, json={"name": unique("Room")}).json()["id"] for _ in range(2)]
    explore(Face(webrtc, webrtc.mount, ana.token), SIGNALLING_EVENTS, ana.id, beto.id, *rooms)


def test_bodies_of_calls(chat: Chat, calls: Sibling) -> None:
    token = chat.user().token
    user = calls.post("/users", token, json={"name": "Ana"}).json()["id"]
    room = calls.post("/rooms", token, json={"name": "Sala"}).json()["id"]
    paths = ["/users", "/calls", "/rooms", "/livekit/token", f"/rooms/{room}/join", f"/users/{user}/attach-device"]
    keys = ["name", "fromUserId", "toUserId", "userId", "roomName", "identity", "sipPeer"]
    bodies = st.dictionaries(st.sampled_from(keys), values(user, room), max_size=5) | values(user, room)

    @bounded
    @given(st.sampled_from(paths), bodies)
    def post(path: str, body: Any) -> None:
        answer = calls.post(path, token, json=body)
        assert answer.status_code in {200, 201, 400, 403, 404}, (path, body, answer.text)
        if answer.status_code >= 400:
            assert list(answer.json()) == ["statusCode", "message", "error"]
            assert answer.json()["statusCode"] == answer.status_code

    post()
    assert chat.get("/health").status_code == 200
