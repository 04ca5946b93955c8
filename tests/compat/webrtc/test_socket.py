"""Rooms, signalling and calls over Socket.IO: sections 2 to 5 of the contract, through the official Python client."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from harness.chat import unique
from harness.engine import scenario
from harness.listening import SocketIoClient, refused_with
from harness.siblings import UNKNOWN_ID, Account, Sibling

OWN, ROOT = "/compat/webrtc", "/"


class Person:
    """A client of an account."""

    def __init__(self, client: socketio.AsyncClient, namespace: str, account: Account) -> None:
        self.client, self.namespace, self.account = client, namespace, account
        self._heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        client.on("*", self._note, namespace=namespace)

    async def _note(self, event: str, *arguments: Any) -> None:
        await self._heard.put((event, *arguments))

    @property
    def id(self) -> str:
        return self.account.id

    @property
    def socket_id(self) -> str:
        found = self.client.get_sid(self.namespace)
        assert isinstance(found, str)
        return found

    @property
    def stamps(self) -> dict[str, str]:
        name = self.account.username
        return {
            **dict.fromkeys(("from", "sender", "fromUserId", "senderId"), self.id),
            "fromUsername": name,
            "senderName": name,
            "fromSocketId": self.socket_id,
            "senderSocketId": self.socket_id,
        }

    async def emit(self, event: str, payload: Any) -> None:
        await self.client.emit(event, payload, namespace=self.namespace)

    async def call(self, event: str, payload: Any = None) -> Any:
        return await self.client.call(event, payload, namespace=self.namespace, timeout=10)

    async def expect(self, event: str) -> Any:
        name, payload = await asyncio.wait_for(self._heard.get(), 10)
        assert name == event, (name, payload)
        return payload

    async def refused(self, event: str, payload: Any, text: str) -> None:
        assert await self.call(event, payload) == {"success": False, "ok": False, "error": text}
        assert await self.expect("error") == {"message": text, "event": event}

    async def expect_error(self, text: str) -> None:
        assert (await self.expect("error"))["message"] == text

    async def expect_nothing(self) -> None:
        await self.refused("join-room", {}, "Room not found")
        assert self._heard.empty()

    async def join(self, room: str) -> list[dict[str, str]]:
        answer = await self.call("join-room", room)
        assert answer == {"ok": True, "success": True, "roomId": room}
        participants = await self.expect("room-participants")
        assert isinstance(participants, list)
        return participants


@asynccontextmanager
async def connected(
    webrtc: Sibling, account: Account, namespace: str = OWN, transport: str = "websocket"
) -> AsyncIterator[Person]:
    client = SocketIoClient(reconnection=False)
    person = Person(client, namespace, account)
    await client.connect(
        webrtc.chat.server.base_url,
        auth={"token": account.token},
        namespaces=[namespace],
        transports=[transport],
        wait_timeout=10,
    )
    try:
        yield person
    finally:
        await client.disconnect()


async def create(webrtc: Sibling, account: Account) -> str:
    answer = await asyncio.to_thread(webrtc.post, "/api/rooms", account.token, json={"name": unique("Room")})
    room = answer.json()["id"]
    assert isinstance(room, str)
    return room


def seen(person: Person) -> dict[str, str]:
    name = person.account.username
    return {
        **dict.fromkeys(("userId", "id", "_id"), person.id),
        "username": name,
        "name": name,
        "socketId": person.socket_id,
    }


@scenario
async def test_rooms_and_messages(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto")
    room = await create(webrtc, accounts[0])
    async with connected(webrtc, accounts[0]) as ana, connected(webrtc, accounts[1], ROOT, "polling") as beto:
        assert await ana.join(room) == [seen(ana)]
        await beto.emit("join-room", {"room": room})
        joined = await ana.expect("user-joined")
        assert joined == {key: value for key, value in {**seen(beto), "roomId": room}.items() if key != "_id"}
        for person in (ana, beto):
            assert await person.expect("room-participants") == [seen(ana), seen(beto)]
        sent = await ana.call("send-message", {"roomId": room, "content": " hola ", "tempId": 7})
        assert (sent["ok"], sent["success"]) == (True, True)
        message = sent["message"]
        assert (message["content"], message["tempId"], message["username"]) == ("hola", 7, ana.account.username)
        for person in (ana, beto):
            assert await person.expect("new-message") == message
        await beto.emit("send-message", {"room": room, "text": "qué tal"})
        for person in (ana, beto):
            assert (await person.expect("new-message"))["senderId"] == beto.id
        history = await asyncio.to_thread(webrtc.get, f"/api/rooms/{room}/messages", ana.account.token)
        assert [item["content"] for item in history.json()] == ["hola", "qué tal"]
        kept = {key: value for key, value in message.items() if key not in {"tempId", "username"}}
        assert history.json()[0] == kept
        assert (await beto.call("leave-room", room))["ok"] is True
        assert (await ana.expect("user-left"))["userId"] == beto.id
        assert await ana.expect("room-participants") == [seen(ana)]
        rooms = (await asyncio.to_thread(webrtc.get, "/api/rooms", ana.account.token)).json()
        assert [item["id"] for item in next(item for item in rooms if item["id"] == room)["participants"]] == [ana.id]
        await ana.expect_nothing()


@scenario
async def test_several_sockets_of_a_user(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto")
    room = await create(webrtc, accounts[0])
    async with (
        connected(webrtc, accounts[0]) as ana,
        connected(webrtc, accounts[1]) as first,
        connected(webrtc, accounts[1], ROOT) as second,
    ):
        await ana.join(room)
        await first.join(room)
        await ana.expect("user-joined")
        await ana.expect("room-participants")
        assert await second.join(room) == [seen(ana), seen(first)]
        await first.expect_nothing()
        await first.client.disconnect()
        for person in (ana, second):
            assert await person.expect("room-participants") == [seen(ana), seen(second)], "the first socket is another"
        await second.client.disconnect()
        assert (await ana.expect("user-left"))["socketId"] != ana.socket_id
        assert await ana.expect("room-participants") == [seen(ana)]


@scenario
async def test_what_is_refused(webrtc: Sibling) -> None:
    ana_account = webrtc.account()
    room = await create(webrtc, ana_account)
    async with connected(webrtc, ana_account) as ana:
        for payload in (None, 5, [room], {"roomId": 5}, UNKNOWN_ID, {"roomId": "\0"}):
            await ana.refused("join-room", payload, "Room not found")
        await ana.refused("send-message", {"roomId": room, "content": "x"}, "Join the room first")
        await ana.refused("send-message", None, "Join the room first")
        await ana.join(room)
        for content in (None, "  ", 5, {"a": 1}):
            await ana.refused("send-message", {"roomId": room, "content": content}, "Message content is required")
        await ana.refused("send-message", {"roomId": room, "content": "x" * 5001}, "Message too long")
        for event in ("webrtc-offer", "webrtc-answer", "webrtc-ice-candidate"):
            for payload in (None, "x", {}, {"to": ana.id}, {"to": UNKNOWN_ID}, {"to": ["x"]}):
                await ana.refused(event, payload, "Target not found")
        for event in ("accept-call", "reject-call", "end-call"):
            await ana.refused(event, {"callId": "x"}, "Call not found")
        await ana.refused("initiate-call", {}, "Target not found")
        await ana.refused("initiate-call", {"roomId": UNKNOWN_ID}, "Not allowed")
        await ana.emit("unknown", {"x": 1})
        await ana.expect_nothing()


@pytest.mark.parametrize("namespace", [OWN, ROOT])
def test_strangers(webrtc: Sibling, namespace: str) -> None:
    ana = webrtc.account()
    tokens = [None, "abc", webrtc.sign(ana.id, ana.username, realm="ws-hub"), webrtc.sign(ana.id, ana.username, exp=1)]
    for token in tokens:
        assert asyncio.run(refused_with(webrtc.chat, namespace, token)) == {"message": "Authentication error"}


@scenario
async def test_relaying(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto", "carla")
    room = await create(webrtc, accounts[0])
    async with (
        connected(webrtc, accounts[0]) as ana,
        connected(webrtc, accounts[1]) as beto,
        connected(webrtc, accounts[2], ROOT) as carla,
    ):
        await ana.refused("webrtc-offer", {"to": beto.id, "offer": 1}, "Not allowed")
        await ana.refused("webrtc-offer", {"roomId": room, "offer": 1}, "Not allowed")
        await ana.join(room)
        await beto.join(room)
        await ana.expect("user-joined")
        await ana.expect("room-participants")
        offer = {"offer": {"type": "offer", "sdp": "v=0"}, "from": "forged", "senderName": "forged", "nested": [None]}
        assert await ana.call("webrtc-offer", {**offer, "targetUserId": beto.id}) == {"ok": True, "success": True}
        assert await beto.expect("webrtc-offer") == {**offer, **ana.stamps}
        by_socket = {"from": beto.socket_id, "sender": beto.socket_id}
        await beto.emit("webrtc-answer", {"answer": 1, "senderId": "x", "callerId": beto.id, "to": ana.socket_id})
        assert await ana.expect("webrtc-answer") == {"answer": 1, "callerId": beto.id, **beto.stamps, **by_socket}
        await beto.emit("webrtc-ice-candidate", {"candidate": None, "roomId": room})
        assert await ana.expect("webrtc-ice-candidate") == {"candidate": None, "roomId": room, **beto.stamps}
        await carla.refused("webrtc-offer", {"to": ana.id}, "Not allowed")
        names = ("webrtc-offer", "webrtc-answer", "webrtc-ice-candidate")
        for number in range(300):
            await ana.emit(names[number % 3], {"to": beto.id, "number": number})
        for number in range(300):
            assert (await beto.expect(names[number % 3]))["number"] == number
        for person in (ana, beto, carla):
            await person.expect_nothing()
        assert "v=0" not in webrtc.chat.server.log


@scenario
async def test_a_call_between_two(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto")
    async with (
        connected(webrtc, accounts[0]) as ana,
        connected(webrtc, accounts[1]) as beto,
        connected(webrtc, accounts[1], ROOT) as tablet,
    ):
        started = await ana.call("initiate-call", {"to": beto.id, "type": "audio", "offer": {"sdp": "x"}})
        call = started["callId"]
        described = {"callId": call, "callType": "audio", "roomId": None}
        for device in (beto, tablet):
            incoming = await device.expect("incoming-call")
            caller = {"callerId": ana.id, "callerName": ana.account.username, "callerSocketId": ana.socket_id}
            assert incoming == {"type": "audio", "offer": {"sdp": "x"}, **ana.stamps, **described, **caller}
        assert (await beto.call("accept-call", {"answer": 1}))["callId"] == call
        assert await ana.expect("call-accepted") == {"answer": 1, **beto.stamps, **described}
        assert (await tablet.expect("call-ended"))["reason"] == "answered-elsewhere"
        await ana.emit("webrtc-offer", {"to": beto.id, "x": 1})
        for device in (beto, tablet):
            assert (await device.expect("webrtc-offer"))["x"] == 1, "a call is enough to signal"
        assert (await beto.call("end-call", {"callId": call}))["ok"] is True
        ended = await ana.expect("call-ended")
        assert ended == {"reason": "ended", **beto.stamps, **described}
        for person in (ana, beto):
            assert (await person.call("end-call", {"callId": call}))["ok"] is True, "again is silent"
        await ana.refused("webrtc-offer", {"to": beto.id}, "Not allowed")


@scenario
async def test_rejected_unavailable_and_gone(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto", "carla")
    async with connected(webrtc, accounts[0]) as ana, connected(webrtc, accounts[1]) as beto:
        await ana.call("initiate-call", {"targetUserId": beto.id, "callId": "mine"})
        assert (await beto.expect("incoming-call"))["callId"] == "mine"
        await beto.emit("reject-call", {"reason": "later"})
        rejected = await ana.expect("call-rejected")
        assert (rejected["reason"], rejected["callId"], rejected["callType"]) == ("later", "mine", "video")
        for target in (UNKNOWN_ID, accounts[2].id):
            answer = await ana.call("initiate-call", {"to": target})
            assert answer == {"ok": False, "success": False, "error": "unavailable"}
            rejected = await ana.expect("call-rejected")
            assert (rejected["reason"], rejected["from"]) == ("unavailable", target)
        await ana.call("initiate-call", {"to": beto.id})
        await beto.expect("incoming-call")
        await beto.client.disconnect()
        ended = await ana.expect("call-ended")
        assert (ended["reason"], ended["fromUserId"]) == ("disconnected", beto.id)


@scenario
async def test_only_parties_decide(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto", "carla")
    async with (
        connected(webrtc, accounts[0]) as ana,
        connected(webrtc, accounts[1]) as beto,
        connected(webrtc, accounts[2]) as carla,
    ):
        call = (await ana.call("initiate-call", {"to": beto.id}))["callId"]
        await beto.expect("incoming-call")
        for event in ("accept-call", "reject-call", "end-call"):
            await carla.refused(event, {"callId": call}, "Call not found")
        await ana.refused("accept-call", {"callId": call}, "Call not found")
        other = (await carla.call("initiate-call", {"to": beto.id, "callId": call}))["callId"]
        assert other != call, "an id in use is nobody else's"
        await beto.expect("incoming-call")
        await beto.refused("accept-call", {}, "Call not found")
        await beto.emit("accept-call", {"to": carla.id})
        assert (await carla.expect("call-accepted"))["callId"] == other


@scenario
async def test_a_call_to_a_room(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto", "carla")
    room = await create(webrtc, accounts[0])
    async with (
        connected(webrtc, accounts[0]) as ana,
        connected(webrtc, accounts[1]) as beto,
        connected(webrtc, accounts[2]) as carla,
    ):
        await ana.join(room)
        assert (await ana.call("initiate-call", {"roomId": room}))["error"] == "unavailable"
        assert (await ana.expect("call-rejected"))["from"] == room
        for index, person in enumerate((beto, carla)):
            await person.join(room)
            for other in (ana, beto)[: index + 1]:
                await other.expect("user-joined")
                await other.expect("room-participants")
        call = (await ana.call("initiate-call", {"roomId": room, "callType": "audio"}))["callId"]
        for person in (beto, carla):
            assert (await person.expect("incoming-call"))["roomId"] == room
            await person.emit("accept-call", {"roomId": room})
            assert (await ana.expect("call-accepted"))["fromUserId"] == person.id
        await beto.emit("end-call", {"callId": call})
        for person in (ana, carla):
            assert (await person.expect("call-ended"))["fromUserId"] == beto.id
        await carla.refused("accept-call", {"callId": call}, "Call not found")
        await ana.emit("end-call", {})
        assert (await carla.expect("call-ended"))["fromUserId"] == ana.id
        await beto.expect_nothing()


@scenario
async def test_a_flood_of_signals(webrtc: Sibling) -> None:
    accounts = webrtc.accounts("ana", "beto")
    async with connected(webrtc, accounts[0]) as ana, connected(webrtc, accounts[1]) as beto:
        started = time.monotonic()
        for _ in range(500):
            await ana.emit("webrtc-offer", {"to": beto.id, "sdp": "x" * 1000})
            await ana.emit("initiate-call", {"to": beto.id})
        await ana.expect_error("Not allowed")
        for _ in range(500 - 64):
            await ana.expect_error("Too many calls")
        for _ in range(64):
            await beto.expect("incoming-call")
            await beto.expect("webrtc-offer")
        assert (await asyncio.to_thread(webrtc.get, "/health")).status_code == 200
        assert time.monotonic() - started < 60
