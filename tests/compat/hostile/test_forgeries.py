"""Ids that are not what they are said to be: of other systems, of other people, of nobody."""

from harness.chat import Chat, unique
from harness.engine import scenario
from harness.listening import Listener, listening
from harness.siblings import Sibling, external_token


async def refused(listener: Listener, event: str, payload: object, text: str) -> None:
    """The event is answered so, and heard of by nobody."""
    answer = await listener.call(event, payload)
    assert (answer["ok"], answer["error"]) == (False, text), (event, payload)
    error = await listener.expect("error")
    assert error in ({"message": text, "event": event}, text)


@scenario
async def test_ids_of_other_systems(
    chat: Chat, meetings: Sibling, calls: Sibling, hub: Sibling, webrtc: Sibling
) -> None:
    ana, stranger, user = webrtc.account(), hub.account(), chat.user()
    room = webrtc.post("/api/rooms", ana.token, json={"name": unique("Room")}).json()["id"]
    body = {"type": "public", "name": "Team"}
    foreign_room = hub.post("/api/rooms", stranger.token, json=body).json()["id"]
    guest_token = external_token(userId="guest")
    meeting = meetings.post("/api/meetings", guest_token).json()["meeting"]["id"]
    voice = calls.post("/rooms", user.token, json={"name": "Sala"}).json()
    izpo_room = chat.room(user)
    async with listening(chat, "/", ana.token) as hers, listening(chat, "/", guest_token) as guest:
        assert (await hers.call("join-room", room))["ok"] is True
        await hers.expect("room-participants")
        for target in (guest.id, "guest", stranger.id, str(user.id), room, voice["id"]):
            await refused(hers, "webrtc-offer", {"to": target, "offer": 1}, "Target not found")
        for other in (foreign_room, meeting, voice["id"], voice["roomName"], str(izpo_room), f"webrtc/{room}"):
            await refused(hers, "join-room", other, "Room not found")
            await refused(hers, "webrtc-offer", {"roomId": other}, "Not allowed")
        await refused(guest, "webrtc-offer", {"to": hers.id}, "Authentication error")
        await refused(guest, "join-room", room, "Authentication error")
        await refused(hers, "join-meeting", {"meetingId": meeting, "userId": "guest"}, "Token de acceso requerido")
        for other in (room, foreign_room, voice["id"], f"meeting/{meeting}"):
            await refused(guest, "join-meeting", {"meetingId": other}, "Reunión no encontrada o inactiva")
        assert hers.has_heard_all
        assert guest.has_heard_all
    for other in (room, meeting, voice["id"], str(izpo_room)):
        assert hub.get(f"/api/rooms/{other}", stranger.token).status_code == 404
        assert webrtc.get(f"/api/rooms/{foreign_room}/messages", ana.token).status_code == 404


@scenario
async def test_who_speaks_is_who_the_token_says(webrtc: Sibling) -> None:
    ana, beto = webrtc.accounts("ana", "beto")
    room = webrtc.post("/api/rooms", ana.token, json={"name": unique("Room")}).json()["id"]
    async with listening(webrtc.chat, "/", ana.token) as hers:
        await hers.call("join-room", {"roomId": room, "userId": beto.id, "username": beto.username})
        assert [person["userId"] for person in await hers.expect("room-participants")] == [ana.id]
        forged = dict.fromkeys(("_id", "id", "sender", "senderId", "senderName", "username", "createdAt"), beto.id)
        sent = (await hers.call("send-message", {**forged, "roomId": room, "content": "x"}))["message"]
        assert {sent[key] for key in ("sender", "senderId")} == {ana.id}
        assert {sent[key] for key in ("senderName", "username")} == {ana.username}
        assert beto.id not in str(sent)
        assert await hers.expect("new-message") == sent
