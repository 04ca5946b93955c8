"""Real-Time Chat Backend: accounts, a group and the one socket, one person in each dialect."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from harness.chat import PASSWORD, Chat, unique
from harness.flows import Place
from harness.listening import FrameSocket, framed

MOUNT = "/compat/ws-hub"


@dataclass(frozen=True)
class Person:
    """An account and the dialect of its client."""

    id: str
    username: str
    token: str
    dialect: tuple[str, str]

    @property
    def name(self) -> dict[str, str]:
        """How frames name it."""
        return {"userId": self.id, "username": self.username}


async def sign_up(place: Place, name: str, dialect: tuple[str, str]) -> Person:
    """Register."""
    username = unique(name)
    body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
    made = await place.ask("POST", f"{MOUNT}/api/auth/register", status=201, json=body)
    return Person(made["user"]["id"], username, made["token"], dialect)


async def payload(socket: FrameSocket, kind: str) -> Any:
    """What the next frame holds, which must be of this type."""
    return (await socket.expect(kind))["payload"]


async def enter(stack: AsyncExitStack, chat: Chat, person: Person, online: set[str]) -> FrameSocket:
    """Open a socket and authenticate; these are online then."""
    socket = await stack.enter_async_context(framed(chat, MOUNT))
    await socket.send({"type": person.dialect[0], "payload": {"token": person.token}})
    assert await payload(socket, person.dialect[1]) == person.name
    assert set((await payload(socket, "ONLINE_USERS"))["userIds"]) == online
    return socket


async def run(place: Place, rounds: int) -> None:
    """A group is made, talked in, left by one, missed, and deleted."""
    ana = await sign_up(place, "ana", ("AUTHENTICATE", "AUTHENTICATED"))
    beto = await sign_up(place, "beto", ("AUTH", "AUTH_SUCCESS"))
    found = await place.ask("GET", f"{MOUNT}/api/users/search", ana.token, params={"q": beto.username})
    assert found == [{"username": beto.username, "id": beto.id}]
    async with AsyncExitStack() as stack:
        hers = await enter(stack, place.chat, ana, {ana.id})
        for number in range(rounds):
            async with AsyncExitStack() as visit:
                his = await enter(visit, place.there, beto, {ana.id, beto.id})
                assert await payload(hers, "USER_ONLINE") == beto.name
                body = {"type": "group", "name": f"Team {number}", "participantIds": [beto.id]}
                room = await place.ask("POST", f"{MOUNT}/api/rooms", ana.token, 201, json=body)
                assert await payload(his, "ROOM_CREATED") == room
                place_of = {"roomId": room["id"]}
                await hers.send({"type": "JOIN_ROOM", "payload": place_of})
                assert await payload(hers, "ROOM_JOINED") == place_of
                await his.send({"type": "TYPING", "payload": place_of})
                assert await payload(hers, "TYPING") == {**beto.name, **place_of}
                await his.send({"type": "SEND_MESSAGE", "payload": {**place_of, "content": "hola", "tempId": "t"}})
                message = await payload(hers, "MESSAGE")
                assert (message["content"], message["tempId"], message["senderId"]) == ("hola", "t", beto.id)
                assert await payload(his, "MESSAGE") == message
            assert await payload(hers, "USER_OFFLINE") == {"userId": beto.id}
            await hers.send({"type": "SEND_MESSAGE", "payload": {**place_of, "content": "¿dónde estás?"}})
            await payload(hers, "MESSAGE")
            async with AsyncExitStack() as visit:
                his = await enter(visit, place.there, beto, {ana.id, beto.id})
                assert await payload(hers, "USER_ONLINE") == beto.name
                path = f"{MOUNT}/api/rooms/{room['id']}"
                history = await place.ask("GET", f"{path}/messages", beto.token)
                assert [item["content"] for item in history["messages"]] == ["hola", "¿dónde estás?"]
                await hers.send({"type": "SEND_MESSAGE", "payload": {**place_of, "content": "ahí"}})
                assert await payload(hers, "MESSAGE") == await payload(his, "MESSAGE")
                await place.ask("POST", f"{path}/leave", ana.token)
                assert await payload(his, "ROOM_DELETED") == place_of
            assert await payload(hers, "USER_OFFLINE") == {"userId": beto.id}
