"""IzpoChat: accounts, a room, messages over the socket and over REST, files apart."""

from contextlib import AsyncExitStack
from typing import Any

from harness.chat import PASSWORD, unique
from harness.flows import Place
from harness.listening import FrameSocket, framed


async def sign_up(place: Place, name: str) -> tuple[int, str]:
    """Register and log in; gives id and token."""
    username = unique(name)
    body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
    user = await place.ask("POST", "/api/users/register", status=201, json=body)
    login = {"username": username, "password": PASSWORD}
    token = (await place.ask("POST", "/api/users/login", json=login))["access_token"]
    assert (await place.ask("GET", "/api/users/me", token))["id"] == user["id"]
    return user["id"], token


async def enter(stack: AsyncExitStack, place: Place, room: int, token: str, online: list[int]) -> FrameSocket:
    """Open a socket; these are online then."""
    socket = await stack.enter_async_context(framed(place.chat, f"/api/ws/{room}?token={token}"))
    assert (await socket.expect("welcome"))["room_id"] == room
    assert (await socket.expect("users_online"))["users"] == online
    return socket


async def run(place: Place, rounds: int) -> None:
    """Two people in a public room."""
    ana, ana_token = await sign_up(place, "ana")
    beto, beto_token = await sign_up(place, "beto")
    for _ in range(rounds):
        room = (await place.ask("POST", "/api/rooms/", ana_token, 201, json={"name": "Sala"}))["id"]
        said: list[str] = []

        async def all_hear(content: str, *sockets: FrameSocket, said: list[str] = said) -> dict[str, Any]:
            said.append(content)
            heard = [await socket.expect("message") for socket in sockets]
            assert all(message == heard[0] for message in heard)
            assert heard[0]["content"] == content
            return heard[0]

        async with AsyncExitStack() as stack:
            hers = await enter(stack, place, room, ana_token, [ana])
            async with AsyncExitStack() as visit:
                await place.ask("POST", f"/api/rooms/{room}/join", beto_token)
                his = await enter(visit, place, room, beto_token, [ana, beto])
                assert (await hers.expect("user_joined"))["user_id"] == beto
                await hers.send({"type": "message", "content": "hola"})
                assert (await all_hear("hola", hers, his))["sender"]["id"] == ana
                await his.send({"type": "typing", "typing": True})
                assert (await hers.expect("typing"))["user_id"] == beto
                path = f"/api/rooms/{room}/messages"
                message = await place.ask("POST", path, beto_token, 201, json={"content": "qué tal"})
                assert (await all_hear("qué tal", hers, his))["id"] == message["id"]
                online = await place.ask("GET", f"/api/ws/rooms/{room}/online", ana_token)
                assert [user["id"] for user in online["online_users"]] == [ana, beto]
            assert (await hers.expect("user_left"))["user_id"] == beto
            await place.ask("POST", f"/api/rooms/{room}/leave", beto_token)
            await hers.send({"type": "message", "content": "¿dónde estás?"})
            await all_hear("¿dónde estás?", hers)
            await place.ask("POST", f"/api/rooms/{room}/join", beto_token)
            his = await enter(stack, place, room, beto_token, [ana, beto])
            assert (await hers.expect("user_joined"))["user_id"] == beto
            missed = await place.ask("GET", f"/api/rooms/{room}/messages", beto_token)
            assert [item["content"] for item in reversed(missed)] == said
            await his.send({"type": "message", "content": "aquí"})
            await all_hear("aquí", hers, his)
            await his.send({"type": "ping"})
            await his.expect("pong")
