"""Guía de Integración Backend: users, a call, a voice room, tokens for the media server, announcements."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from livekit.api import TokenVerifier

from harness.flows import Place
from harness.listening import Listener, listening
from harness.siblings import LIVEKIT_KEY, LIVEKIT_SECRET, LIVEKIT_URL

OWN, ROOT = "/compat/calls", "/"


async def announced(event: str, *listeners: Listener) -> dict[str, Any]:
    """What all of them hear next."""
    heard = [await listener.expect(event) for listener in listeners]
    assert all(other == heard[0] for other in heard)
    assert list(heard[0]) == ["data"]
    data = heard[0]["data"]
    assert isinstance(data, dict)
    return data


def check_token(answer: dict[str, Any], room: str, identity: str) -> None:
    """Check a token as the media server would."""
    assert answer["url"] == LIVEKIT_URL
    claims = TokenVerifier(LIVEKIT_KEY, LIVEKIT_SECRET).verify(answer["token"])
    assert claims.identity == identity
    assert claims.video is not None
    assert (claims.video.room, claims.video.room_join) == (room, True)


async def run(place: Place, rounds: int) -> None:
    """Two tokens of the primary, each with a user of this system; one calls the other."""
    ana, beto = [user.token for user in await asyncio.to_thread(place.chat.users, "ana", "beto")]

    async def post(path: str, token: str, status: int = 201, **body: Any) -> dict[str, Any]:
        made = await place.ask("POST", path, token, status, json=body)
        assert isinstance(made, dict)
        return made

    async with AsyncExitStack() as stack:
        hers = await stack.enter_async_context(listening(place.chat, OWN, ana, place.transports))
        place.check_transport(hers.transport)
        for _ in range(rounds):
            async with listening(place.there, ROOT, beto, place.transports) as his:
                both = (hers, his)
                caller = await post("/users", ana, name="Ana")
                assert await announced("user.registered", *both) == {"id": caller["id"], "name": "Ana"}
                callee = await post("/compat/calls/users", beto, name="Beto")
                assert await announced("user.registered", *both) == {"id": callee["id"], "name": "Beto"}
                call = await post("/calls", ana, fromUserId=caller["id"], toUserId=callee["id"])
                check_token(call, call["roomName"], caller["id"])
                incoming = await announced("call.started", *both)
                assert incoming == {key: call[key] for key in call if key not in {"token", "url"}}
                wanted = {"roomName": incoming["roomName"], "identity": callee["id"], "name": "Beto"}
                check_token(await post("/livekit/token", beto, 200, **wanted), call["roomName"], callee["id"])
                for token in (beto, ana):
                    ended = await place.ask("POST", f"/calls/{call['id']}/end", token)
                    assert (ended["success"], ended["status"]) == (True, "ended")
                assert await announced("call.ended", *both) == {"callId": call["id"]}
            room = await post("/rooms", ana, name="Sala")
            assert await announced("room.created", hers) == room
            async with listening(place.there, ROOT, beto, place.transports) as his:
                for user, token in ((caller, ana), (callee, beto), (callee, beto)):
                    joined = await post(f"/rooms/{room['id']}/join", token, 200, userId=user["id"])
                    check_token(joined, room["roomName"], user["id"])
                    heard = await announced("room.joined", hers, his)
                    assert heard == {"roomId": room["id"], "userId": user["id"]}
                users = await place.ask("GET", f"/rooms/{room['id']}/users", beto)
                assert [user["id"] for user in users] == [caller["id"], callee["id"]]
                assert his.has_heard_all
            assert hers.has_heard_all
