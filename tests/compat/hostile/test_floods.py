"""Clients that say too much: others hear everything in order, and nothing is left behind."""

import json
from typing import Any

from harness.chat import Chat
from harness.engine import EngineSocket, scenario
from harness.faces import Face, settled
from harness.listening import listening
from harness.siblings import Sibling, external_token

TIMES = 1_000


async def say(socket: EngineSocket, face: Face, event: str, *payload: object) -> None:
    await socket.send(f"42{face.prefix}{json.dumps([event, *payload])}")


@scenario
async def test_joining_and_leaving(meetings: Sibling) -> None:
    token = external_token(userId="beto")
    meeting = meetings.post("/api/meetings", token).json()["meeting"]["id"]
    face = Face(meetings, meetings.mount, token)
    async with listening(meetings.chat, "/", external_token(userId="ana")) as ana, face.joined() as socket:
        await ana.emit("join-meeting", meeting)
        for event in ("user-joined", "participants-list", "joined"):
            await ana.expect(event)
        for _ in range(TIMES):
            await say(socket, face, "join-meeting", meeting)
            await say(socket, face, "send-message", {"meetingId": meeting, "message": "x"})
            await say(socket, face, "leave-meeting", meeting)
        for _ in range(TIMES):
            for event in ("user-joined", "receive-message", "user-left"):
                await ana.expect(event)
        assert len(await settled(socket)) == 3 * TIMES
        assert ana.has_heard_all


@scenario
async def test_ringing_and_hanging_up(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto")
    face = Face(webrtc, webrtc.mount, accounts[0].token)
    call = {"to": accounts[1].id, "callId": "mine"}
    async with listening(webrtc.chat, "/", accounts[1].token) as beto, face.joined() as socket:
        for _ in range(TIMES):
            await say(socket, face, "initiate-call", call)
            await say(socket, face, "end-call", {"callId": "mine"})
        for _ in range(TIMES):
            assert (await beto.expect("incoming-call"))["callId"] == "mine"
            assert (await beto.expect("call-ended"))["callId"] == "mine"
        assert await settled(socket) == []
        await say(socket, face, "initiate-call", call)
        await beto.expect("incoming-call")
        assert (await beto.call("accept-call", {}))["callId"] == "mine"


@scenario
async def test_events_where_none_are_expected(chat: Chat, calls: Sibling) -> None:
    user = chat.user()
    face = Face(calls, calls.mount, user.token)
    async with face.joined() as socket:
        for number in range(TIMES):
            await say(socket, face, f"call.{number}", {"data": {"callId": "x"}})
            await say(socket, face, "call.ended", {"data": {"callId": "x"}})
        assert await settled(socket) == []
        made: dict[str, Any] = calls.post("/users", user.token, json={"name": "Ana"}).json()
        data = {"data": {"id": made["id"], "name": "Ana"}}
        heard = await socket.next()
        assert isinstance(heard, str)
        assert json.loads(heard.removeprefix(f"42{face.prefix}")) == ["user.registered", data]
