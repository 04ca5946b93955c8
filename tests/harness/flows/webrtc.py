"""WebRTC Backend: accounts, a room with stored messages, signalling and calls."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from harness.chat import PASSWORD, unique
from harness.flows import Place
from harness.listening import Listener, listening
from harness.siblings import Account, Sibling

MOUNT, OWN, ROOT = "/compat/webrtc", "/compat/webrtc", "/"


async def sign_up(place: Place, name: str) -> Account:
    """Sign up."""
    username = unique(name)
    body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
    made = await place.ask("POST", f"{MOUNT}/api/auth/signup", status=201, json=body)
    return Account(made["user"]["id"], username, body["email"], made["token"])


async def enter(listener: Listener, room: str, person: Account, count: int, *others: Listener) -> None:
    """Join a room in which so many are then; the others hear of it."""
    assert (await listener.call("join-room", room))["ok"] is True
    for other in others:
        assert (await other.expect("user-joined"))["userId"] == person.id
    for each in (*others, listener):
        assert len(await each.expect("room-participants")) == count


async def call(hers: Listener, his: Listener, ana: Account, beto: Account) -> str:
    """Ring, accept and exchange what a connection needs."""
    started = await hers.call("initiate-call", {"targetUserId": beto.id, "callType": "audio"})
    incoming = await his.expect("incoming-call")
    assert (incoming["callId"], incoming["callerId"], incoming["callType"]) == (started["callId"], ana.id, "audio")
    await his.emit("accept-call", {"callId": incoming["callId"]})
    assert (await hers.expect("call-accepted"))["fromUserId"] == beto.id
    await hers.emit("webrtc-offer", {"to": beto.id, "offer": {"type": "offer", "sdp": "v=0"}})
    offer = await his.expect("webrtc-offer")
    assert (offer["offer"], offer["from"]) == ({"type": "offer", "sdp": "v=0"}, ana.id)
    await his.emit("webrtc-answer", {"to": offer["fromSocketId"], "answer": {"sdp": "v=1"}})
    assert (await hers.expect("webrtc-answer"))["answer"] == {"sdp": "v=1"}
    for number in range(5):
        await hers.emit("webrtc-ice-candidate", {"to": beto.id, "candidate": number})
        await his.emit("webrtc-ice-candidate", {"to": ana.id, "candidate": number})
    for listener in (hers, his):
        for number in range(5):
            assert (await listener.expect("webrtc-ice-candidate"))["candidate"] == number
    call_id = started["callId"]
    assert isinstance(call_id, str)
    return call_id


async def run(place: Place, rounds: int) -> None:
    """Two people who sign up."""
    await run_with(place, rounds, await sign_up(place, "ana"), await sign_up(place, "beto"))


async def run_without_sign_up(place: Place, rounds: int) -> None:
    """Two people with accounts."""
    people = await asyncio.to_thread(Sibling(place.chat, "webrtc").accounts, "ana", "beto")
    await run_with(place, rounds, *people)


async def run_with(place: Place, rounds: int, ana: Account, beto: Account) -> None:
    """One person below the mount, one at the origin."""
    for _ in range(rounds):
        body = {"name": unique("Room")}
        room = (await place.ask("POST", f"{MOUNT}/api/rooms", ana.token, 201, json=body))["id"]
        assert room in [item["id"] for item in await place.ask("GET", f"{MOUNT}/api/rooms", beto.token)]
        async with AsyncExitStack() as stack:
            hers = await stack.enter_async_context(listening(place.chat, OWN, ana.token, place.transports))
            place.check_transport(hers.transport)
            await enter(hers, room, ana, 1)
            async with listening(place.there, ROOT, beto.token, place.transports) as his:
                await enter(his, room, beto, 2, hers)
                sent = await hers.call("send-message", {"roomId": room, "content": "hola"})
                for listener in (hers, his):
                    assert await listener.expect("new-message") == sent["message"]
                call_id = await call(hers, his, ana, beto)
                assert (await hers.call("end-call", {"callId": call_id}))["ok"] is True
                assert (await his.expect("call-ended"))["reason"] == "ended"
                call_id = await call(hers, his, ana, beto)
            heard: dict[str, Any] = {}
            for _ in range(3):
                event, argument = await hers.next()
                heard[event] = argument
            assert sorted(heard) == ["call-ended", "room-participants", "user-left"]
            assert (heard["call-ended"]["reason"], heard["call-ended"]["callId"]) == ("disconnected", call_id)
            assert heard["user-left"]["userId"] == beto.id
            await hers.call("send-message", {"roomId": room, "content": "¿dónde estás?"})
            await hers.expect("new-message")
            his = await stack.enter_async_context(listening(place.there, ROOT, beto.token, place.transports))
            await enter(his, room, beto, 2, hers)
            history = await place.ask("GET", f"{MOUNT}/api/rooms/{room}/messages", beto.token)
            assert [item["content"] for item in history] == ["hola", "¿dónde estás?"]
            assert (await his.call("leave-room", room))["ok"] is True
            assert (await hers.expect("user-left"))["userId"] == beto.id
            assert len(await hers.expect("room-participants")) == 1
            assert hers.has_heard_all
            assert his.has_heard_all
