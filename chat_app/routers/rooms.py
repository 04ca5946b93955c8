"""Rooms, their members and their messages.

The texts for an unknown room differ by route because clients know them so: Spanish where ``spanish_room_errors`` is
used, English elsewhere.
"""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from chat_app import schemas
from chat_app.dependencies import RunningCore, TokenCaller, error_responses
from chat_app.errors import spanish_room_errors
from chat_app.json_routes import EncodedJson, JsonRoute, encoded_json

router = APIRouter(prefix="/api/rooms", tags=["rooms"], route_class=JsonRoute)


@router.get("/{room_id}/messages", response_model=list[schemas.Message], responses=error_responses(404, 501))
async def list_messages(  # noqa: PLR0913, PLR0917 - as many as the route has
    caller: TokenCaller,
    room_id: schemas.PathId,
    skip: schemas.Skip = 0,
    limit: schemas.Limit = 50,
    before_seq: schemas.Seq | None = None,
    after_seq: schemas.Seq | None = None,
) -> Response:
    """The history of a room, newest first; with `after_seq` oldest first.

    `skip` is ignored if `before_seq` or `after_seq` is given.
    """
    with spanish_room_errors(room_id):
        answer = await caller.list_messages(room_id, skip=skip, limit=limit, before_seq=before_seq, after_seq=after_seq)
    return encoded_json(answer)


@router.post(
    "/{room_id}/messages", status_code=201, response_model=schemas.Message, responses=error_responses(404, 413)
)
async def send_message(
    caller: TokenCaller,
    room_id: schemas.PathId,
    body: schemas.MessageCreate,
    idempotency_key: Annotated[str | None, Header(pattern=r"^[\x20-\x7e]{1,128}$")] = None,
) -> Response:
    """Store a message and send it to the open sockets of the room.

    A reused `Idempotency-Key` returns the original message.
    """
    with spanish_room_errors(room_id):
        message = await caller.send_message(
            room_id, content=body.content, file_id=body.file_id, client_id=idempotency_key
        )
    return EncodedJson(message, 201)


@router.patch(
    "/{room_id}/messages/{message_id}", response_model=schemas.Message, responses=error_responses(404, 413, 501)
)
async def edit_message(
    caller: TokenCaller, room_id: schemas.PathId, message_id: schemas.PathId, body: schemas.MessageEdit
) -> Response:
    """Replace the text of one's own message."""
    with spanish_room_errors(room_id):
        return EncodedJson(await caller.edit_message(room_id, message_id, content=body.content))


@router.delete("/{room_id}/messages/{message_id}", status_code=204, responses=error_responses(404, 501))
async def delete_message(caller: TokenCaller, room_id: schemas.PathId, message_id: schemas.PathId) -> None:
    """Delete one's own message; the owner of the room may delete any. Deleting it again changes nothing."""
    with spanish_room_errors(room_id):
        await caller.delete_message(room_id, message_id)


@router.get("/{room_id}/changes", response_model=list[schemas.MessageChange], responses=error_responses(404, 501))
async def list_changes(
    caller: TokenCaller, room_id: schemas.PathId, after: schemas.Seq = 0, limit: schemas.Limit = 50
) -> Response:
    """The last change of each message that was edited or deleted after the change number `after`, in order."""
    with spanish_room_errors(room_id):
        return EncodedJson(await caller.list_changes(room_id, after=after, limit=limit))


@router.put("/{room_id}/read", response_model=schemas.RoomReading, responses=error_responses(400, 404, 413, 501))
async def mark_read(caller: TokenCaller, room_id: schemas.PathId, body: schemas.ReadMark) -> Response:
    """Mark messages up to `seq` as read. Never moves backwards."""
    with spanish_room_errors(room_id):
        return EncodedJson(await caller.mark_read(room_id, body.seq))


@router.get("/", response_model=list[schemas.Room], responses=error_responses(authenticated=False))
async def list_public_rooms(core: RunningCore, skip: schemas.Skip = 0, limit: schemas.Limit = 100) -> Response:
    """The public rooms by ascending id; no token is needed."""
    return EncodedJson(await core.list_public_rooms(skip=skip, limit=limit))


@router.post("/", status_code=201, response_model=schemas.Room, responses=error_responses(413))
async def create_room(caller: TokenCaller, body: schemas.RoomCreate) -> Response:
    """Create a room; the caller becomes its owner and first member."""
    room = await caller.create_room(name=body.name, description=body.description, is_private=bool(body.is_private))
    return EncodedJson(room, 201)


@router.get("/{room_id}", response_model=schemas.Room, responses=error_responses(404))
async def get_room(caller: TokenCaller, room_id: schemas.PathId) -> Response:
    """One room. Any user may read a public one, only members and the owner a private one."""
    with spanish_room_errors(room_id):
        return EncodedJson(await caller.get_room(room_id))


@router.put("/{room_id}", response_model=schemas.Room, responses=error_responses(404, 413))
async def update_room(caller: TokenCaller, room_id: schemas.PathId, body: schemas.RoomUpdate) -> Response:
    """Change the settings of a room; owner only."""
    return EncodedJson(await caller.update_room(room_id, body.changes()))


@router.post("/{room_id}/join", response_model=schemas.RoomNotice, responses=error_responses(404))
async def join_room(caller: TokenCaller, room_id: schemas.PathId) -> schemas.RoomNotice:
    """Become a member of a public room. A request body is ignored."""
    with spanish_room_errors(room_id):
        joined = await caller.join_room(room_id)
    text = "Te has unido a la sala exitosamente" if joined else "Ya estás en esta sala"
    return schemas.RoomNotice(message=text, room_id=room_id)


@router.post("/{room_id}/leave", response_model=schemas.RoomNotice, responses=error_responses(404))
async def leave_room(caller: TokenCaller, room_id: schemas.PathId) -> schemas.RoomNotice:
    """Stop being a member of a room. The owner cannot leave."""
    await caller.leave_room(room_id)
    return schemas.RoomNotice(message="Successfully left room", room_id=room_id)


@router.get("/{room_id}/members", response_model=list[schemas.User], responses=error_responses(404))
async def list_room_members(caller: TokenCaller, room_id: schemas.PathId) -> Response:
    """The members of a room by ascending id."""
    return EncodedJson(await caller.list_room_members(room_id))


@router.post("/{room_id}/members", response_model=schemas.User, responses=error_responses(404, 413))
async def add_room_member(caller: TokenCaller, room_id: schemas.PathId, body: schemas.MemberAdd) -> Response:
    """Add a user to a room, public or private; owner only. Adding a member again changes nothing."""
    return EncodedJson(await caller.add_room_member(room_id, user_id=body.user_id, username=body.username))
