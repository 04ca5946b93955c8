"""Meetings over Socket.IO: section 3 of the contract, through the official Python client."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import socketio
from harness.chat import unique
from harness.engine import scenario
from harness.listening import SocketIoClient, refused_with
from harness.pool import ServerPool
from harness.siblings import SETTINGS, Sibling, external_token
from harness.waiting import wait_until

OWN, ROOT = "/compat/meetings", "/"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Person:
    """A client in meetings."""

    def __init__(self, client: socketio.AsyncClient, namespace: str, user_id: str) -> None:
        self.client, self.namespace, self.id = client, namespace, user_id
        self._heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        client.on("*", self._note, namespace=namespace)

    async def _note(self, event: str, *arguments: Any) -> None:
        await self._heard.put((event, *arguments))

    async def emit(self, event: str, payload: Any) -> None:
        await self.client.emit(event, payload, namespace=self.namespace)

    async def call(self, event: str, payload: Any) -> Any:
        return await self.client.call(event, payload, namespace=self.namespace, timeout=10)

    async def expect(self, event: str) -> Any:
        name, payload = await asyncio.wait_for(self._heard.get(), 10)
        assert name == event, (name, payload)
        return payload

    async def expect_error(self, text: str) -> None:
        assert await self.expect("error") == text

    async def expect_nothing(self) -> None:
        assert await self.call("leave-meeting", "marker") == {"ok": True}
        assert self._heard.empty()

    async def join(self, meeting: str, name: str = "Somebody") -> list[dict[str, str]]:
        """Join as the first socket of a user."""
        await self.emit("join-meeting", {"meetingId": meeting, "userId": self.id, "name": name})
        joined = await self.expect("user-joined")
        assert (joined["userId"], joined["name"]) == (self.id, name)
        participants = await self.expect("participants-list")
        assert joined["participantCount"] == len(participants)
        assert await self.expect("joined") == f"Unido a reunión {meeting}"
        assert isinstance(participants, list)
        return participants


@asynccontextmanager
async def connected(
    meetings: Sibling, user_id: str, namespace: str = OWN, token: str | None = "", transport: str = "websocket"
) -> AsyncIterator[Person]:
    client = SocketIoClient(reconnection=False)
    person = Person(client, namespace, user_id)
    auth = {"token": external_token(userId=user_id)} if token == "" else {"token": token}
    await client.connect(
        meetings.chat.server.base_url, auth=auth, namespaces=[namespace], transports=[transport], wait_timeout=10
    )
    try:
        yield person
    finally:
        await client.disconnect()


async def create(meetings: Sibling, user_id: str) -> str:
    answer = await asyncio.to_thread(meetings.post, "/api/meetings", external_token(userId=user_id))
    meeting = answer.json()["meeting"]["id"]
    assert isinstance(meeting, str)
    return meeting


async def end(meetings: Sibling, meeting: str, user_id: str) -> int:
    path = f"/api/meetings/{meeting}/end"
    answer = await asyncio.to_thread(meetings.put, path, external_token(userId=user_id))
    return answer.status_code


@scenario
async def test_a_typical_session(meetings: Sibling) -> None:
    meeting = await create(meetings, "A")
    async with AsyncExitStack() as stack:
        ana = await stack.enter_async_context(connected(meetings, "A"))
        assert await ana.join(meeting, "Ana") == [{"userId": "A", "name": "Ana"}]
        beto = await stack.enter_async_context(connected(meetings, "B", ROOT, transport="polling"))
        participants = await beto.join(meeting, "Beto")
        assert participants == [{"userId": "A", "name": "Ana"}, {"userId": "B", "name": "Beto"}]
        assert await ana.expect("user-joined") == {"userId": "B", "name": "Beto", "participantCount": 2}
        await ana.emit("send-message", {"meetingId": meeting, "message": " hola ", "author": "Ana M."})
        message = await beto.expect("receive-message")
        assert TIME.fullmatch(message.pop("timestamp"))
        assert message == {"author": "Ana M.", "text": " hola ", "userId": "A"}
        await beto.emit("send-message", {"meetingId": meeting, "text": "qué tal", "author": ""})
        message = await ana.expect("receive-message")
        assert (message["author"], message["text"], message["userId"]) == ("Beto", "qué tal", "B")
        assert await end(meetings, meeting, "A") == 200
        await beto.emit("send-message", {"meetingId": meeting, "message": "late"})
        await beto.expect_error("Reunión no encontrada o inactiva")
        await ana.emit("end-meeting", meeting)
        for person in (ana, beto):
            assert await person.expect("meeting-ended") == "La reunión ha terminado."
        await beto.client.disconnect()
        assert await ana.expect("user-left") == {"userId": "B", "participantCount": 1}
        await ana.expect_nothing()
    tables = meetings.chat.database.rows("select * from compat_meetings where public_id = ?", meeting)
    assert "hola" not in repr(tables)
    assert "hola" not in meetings.chat.server.log


@scenario
async def test_presence_is_of_users(meetings: Sibling) -> None:
    meeting = await create(meetings, "A")
    async with connected(meetings, "A") as ana, connected(meetings, "B") as first, connected(meetings, "B") as second:
        await ana.join(meeting, "Ana")
        await first.join(meeting, "Beto")
        await ana.expect("user-joined")
        await second.emit("join-meeting", {"meetingId": meeting, "userId": "A", "name": "Other"})
        both = [{"userId": "A", "name": "Ana"}, {"userId": "B", "name": "Beto"}]
        assert await second.expect("participants-list") == both, "who it is the token says"
        await second.expect("joined")
        await first.emit("send-message", {"meetingId": meeting, "message": "to my other socket too"})
        for person in (ana, second):
            assert (await person.expect("receive-message"))["userId"] == "B"
        await first.emit("leave-meeting", meeting)
        await first.expect_nothing()
        await ana.expect_nothing()
        await first.emit("send-message", {"meetingId": meeting, "message": "x"})
        await first.expect_error("No estás en la reunión")
        await second.emit("leave-meeting", {"meetingId": meeting})
        assert await ana.expect("user-left") == {"userId": "B", "participantCount": 1}
        await second.emit("leave-meeting", meeting)
        await second.expect_nothing()


@scenario
async def test_what_is_refused(meetings: Sibling) -> None:
    meeting = await create(meetings, "A")
    async with connected(meetings, "A") as ana, connected(meetings, "B") as beto:
        for event, payload, text in (
            ("join-meeting", "k3Jx9mQ2ZtY7bLwA0cDe", "Reunión no encontrada o inactiva"),
            ("join-meeting", "\0", "Reunión no encontrada o inactiva"),
            ("join-meeting", None, "Datos inválidos"),
            ("join-meeting", [1], "Datos inválidos"),
            ("join-meeting", {"meetingId": 5}, "Datos inválidos"),
            ("send-message", {"meetingId": meeting}, "Datos inválidos"),
            ("send-message", {"meetingId": meeting, "message": "x"}, "No estás en la reunión"),
            ("leave-meeting", 7, "Datos inválidos"),
            ("end-meeting", {}, "Datos inválidos"),
            ("end-meeting", meeting, "Solo el creador puede finalizar la reunión"),
        ):
            assert await beto.call(event, payload) == {"ok": False, "error": text}
            await beto.expect_error(text)
        await ana.join(meeting)
        for message, text in (("  ", "Mensaje vacío"), ("x" * 5001, "Mensaje demasiado largo")):
            await ana.emit("send-message", {"meetingId": meeting, "message": message})
            await ana.expect_error(text)
        await ana.emit("unknown", {"meetingId": meeting})
        assert await ana.call("send-message", {"meetingId": meeting, "message": "x" * 5000}) == {"ok": True}
        assert await end(meetings, meeting, "A") == 200
        await beto.emit("join-meeting", meeting)
        await beto.expect_error("Reunión no encontrada o inactiva")


@scenario
async def test_names(meetings: Sibling) -> None:
    meeting = await create(meetings, "A")
    async with AsyncExitStack() as stack:
        token = external_token(userId="N", name="From the token")
        person = await stack.enter_async_context(connected(meetings, "N", token=token))
        await person.emit("join-meeting", {"meetingId": meeting, "name": " " * 5})
        assert (await person.expect("user-joined"))["name"] == "From the token"
        plain = await stack.enter_async_context(connected(meetings, "P"))
        await plain.emit("join-meeting", meeting)
        assert (await plain.expect("user-joined"))["name"] == "P"
        user = meetings.chat.user()
        izpo = await stack.enter_async_context(connected(meetings, str(user.id), ROOT, user.token))
        await izpo.emit("join-meeting", {"meetingId": meeting, "name": "n" * 101})
        joined = await izpo.expect("user-joined")
        assert (joined["userId"], joined["name"], joined["participantCount"]) == (str(user.id), user.username, 3)


@pytest.mark.parametrize(
    ("namespace", "token", "text"),
    [
        (OWN, None, "Token de acceso requerido"),
        (OWN, "abc", "Token inválido"),
        (OWN, external_token(email="a@b.c"), "Token inválido"),
        (OWN, external_token(userId="u", realm="webrtc"), "Token inválido"),
        (ROOT, None, "Authentication error"),
        (ROOT, "abc", "Authentication error"),
        (ROOT, external_token(email="a@b.c"), "Authentication error"),
        ("/compat/ws-hub", "abc", "Invalid namespace"),
    ],
)
def test_strangers(meetings: Sibling, namespace: str, token: str | None, text: str) -> None:
    assert asyncio.run(refused_with(meetings.chat, namespace, token)) == {"message": text}


def test_open_meetings(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={**SETTINGS, "COMPAT_MEETINGS_OPEN": "true"})
    chat.server.start()
    assert chat.server.log.count("COMPAT_MEETINGS_OPEN") == 1
    meetings = Sibling(chat, "meetings")

    async def talk() -> None:
        meeting = await create(meetings, "A")
        async with connected(meetings, "X", token=None) as one, connected(meetings, "Y", ROOT, token=None) as two:
            await one.join(meeting, "Xavier")
            await two.join(meeting, "Yolanda")
            await one.expect("user-joined")
            await two.emit("join-meeting", {"meetingId": meeting})
            await two.expect_error("Datos inválidos")
            await two.emit("end-meeting", meeting)
            await two.expect_error("Solo el creador puede finalizar la reunión")

    asyncio.run(talk())


def test_empty_meetings_end(servers: ServerPool) -> None:
    chat = servers.prepare("sqlite", settings={**SETTINGS, "MEETINGS_EMPTY_SECONDS": "1"})
    chat.server.start()
    meetings = Sibling(chat, "meetings")

    def status(meeting: str) -> str:
        answer = meetings.get(f"/api/meetings/{meeting}", external_token(userId="A")).json()
        found = answer["meeting"]["status"]
        assert isinstance(found, str)
        return found

    async def visit() -> tuple[str, str, str]:
        never, left, occupied = [await create(meetings, unique("u")) for _ in range(3)]
        async with connected(meetings, "B") as beto, connected(meetings, "C") as carla:
            await beto.join(left)
            await beto.client.disconnect()
            await carla.join(occupied)
            await asyncio.to_thread(wait_until, lambda: status(left) == "ended", "the empty meeting to end")
            assert (status(never), status(occupied)) == ("active", "active")
            chat.server.kill()
        return never, left, occupied

    never, _, occupied = asyncio.run(visit())
    chat.server.start()
    wait_until(lambda: status(occupied) == "ended", "the meeting that was occupied before the restart to end")
    assert status(never) == "active"
