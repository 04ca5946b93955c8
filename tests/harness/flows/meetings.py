"""RealTime Chat Backend: a meeting, brought tokens, messages that nobody keeps."""

from contextlib import AsyncExitStack

from harness.chat import unique
from harness.flows import Place
from harness.listening import Listener, listening
from harness.siblings import external_token

OWN, ROOT = "/compat/meetings", "/"


async def enter(person: Listener, meeting: str, user: str, present: list[str], *others: Listener) -> None:
    """Join as the last of these users; the others hear of it."""
    await person.emit("join-meeting", {"meetingId": meeting, "userId": user, "name": user.upper()})
    joined = {"userId": user, "name": user.upper(), "participantCount": len(present)}
    for listener in (*others, person):
        assert await listener.expect("user-joined") == joined
    assert await person.expect("participants-list") == [{"userId": id_, "name": id_.upper()} for id_ in present]
    assert await person.expect("joined") == f"Unido a reunión {meeting}"


async def run(place: Place, rounds: int) -> None:
    """A creator below the mount, a guest at the origin."""
    ana, beto = unique("ana"), unique("beto")
    ana_token, beto_token = external_token(userId=ana), external_token(userId=beto)
    for _ in range(rounds):
        meeting = (await place.ask("POST", "/api/meetings", ana_token, 201))["meeting"]["id"]
        path = f"/compat/meetings/api/meetings/{meeting}"
        assert (await place.ask("GET", path, beto_token))["meeting"]["status"] == "active"
        async with AsyncExitStack() as stack:
            hers = await stack.enter_async_context(listening(place.chat, OWN, ana_token, place.transports))
            place.check_transport(hers.transport)
            await enter(hers, meeting, ana, [ana])
            async with listening(place.there, ROOT, beto_token, place.transports) as his:
                await enter(his, meeting, beto, [ana, beto], hers)
                await hers.emit("send-message", {"meetingId": meeting, "message": "hola", "author": "Ana"})
                heard = await his.expect("receive-message")
                assert (heard["author"], heard["text"], heard["userId"]) == ("Ana", "hola", ana)
                await his.emit("send-message", {"meetingId": meeting, "message": "qué tal"})
                assert (await hers.expect("receive-message"))["author"] == beto.upper()
                await his.emit("leave-meeting", meeting)
                assert await hers.expect("user-left") == {"userId": beto, "participantCount": 1}
                await enter(his, meeting, beto, [ana, beto], hers)
            assert await hers.expect("user-left") == {"userId": beto, "participantCount": 1}
            his = await stack.enter_async_context(listening(place.there, ROOT, beto_token, place.transports))
            await enter(his, meeting, beto, [ana, beto], hers)
            await place.ask("PUT", f"/api/meetings/{meeting}/end", ana_token)
            await hers.emit("end-meeting", meeting)
            for listener in (hers, his):
                assert await listener.expect("meeting-ended") == "La reunión ha terminado."
            await his.leave()
            assert await hers.expect("user-left") == {"userId": beto, "participantCount": 1}
            assert await hers.call("leave-meeting", meeting) == {"ok": True}
            assert hers.has_heard_all
            assert his.has_heard_all
        assert (await place.ask("GET", path, beto_token))["meeting"]["status"] == "ended"
