"""Rooms, their members and their messages.

The texts for an unknown room differ by route because clients know them so: Spanish where ``spanish_room_errors`` is
used, English elsewhere.
"""

from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from chat_app import schemas
from chat_app.dependencies import Caller, RunningCore, error_responses
from chat_app.errors import spanish_room_errors
from chat_app.json_route import JsonBytes, JsonRoute, json_response, model_response

router = APIRouter(prefix="/api/rooms", tags=["rooms"], route_class=JsonRoute)


@router.get("", response_model=list[schemas.Room], responses=error_responses(authenticated=False))
async def list_public_rooms(core: RunningCore, skip: schemas.Skip = 0, limit: schemas.Limit = 100) -> JsonBytes:
    """The public rooms by id; no token is needed."""
    return JsonBytes(await core.list_public_rooms(skip=skip, limit=limit))


@router.post("", status_code=201, response_model=schemas.Room, responses=error_responses(413))
async def create_room(caller: Caller, body: schemas.RoomCreate) -> JsonBytes:
    """Create a room; the caller becomes its owner and first member."""
    room = await caller.create_room(name=body.name, description=body.description, is_private=bool(body.is_private))
    return JsonBytes(room, 201)


@router.get("/{room_id}", response_model=schemas.Room, responses=error_responses(404))
async def get_room(caller: Caller, room_id: schemas.PathId) -> JsonBytes:
    """One room; a public one may be read by everybody who is logged in."""
    with spanish_room_errors(room_id):
        return JsonBytes(await caller.get_room(room_id))


@router.put("/{room_id}", response_model=schemas.Room, responses=error_responses(404, 413))
async def update_room(caller: Caller, room_id: schemas.PathId, body: schemas.RoomUpdate) -> JsonBytes:
    """Change a room; owner only."""
    return JsonBytes(await caller.update_room(room_id, body.changes()))


@router.post("/{room_id}/join", response_model=schemas.RoomNotice, responses=error_responses(404))
async def join_room(caller: Caller, room_id: schemas.PathId) -> JsonBytes:
    """Become a member of a public room. Whatever body is sent is ignored."""
    with spanish_room_errors(room_id):
        joined = await caller.join_room(room_id)
    text = "Te has unido a la sala exitosamente" if joined else "Ya estás en esta sala"
    return model_response(schemas.RoomNotice(message=text, room_id=room_id))


@router.post("/{room_id}/leave", response_model=schemas.RoomNotice, responses=error_responses(404))
async def leave_room(caller: Caller, room_id: schemas.PathId) -> JsonBytes:
    """Stop being a member of a room."""
    await caller.leave_room(room_id)
    return model_response(schemas.RoomNotice(message="Successfully left room", room_id=room_id))


@router.get("/{room_id}/members", response_model=list[schemas.User], responses=error_responses(404))
async def list_room_members(caller: Caller, room_id: schemas.PathId) -> JsonBytes:
    """The members of a room by id."""
    return JsonBytes(await caller.list_room_members(room_id))


@router.post("/{room_id}/members", response_model=schemas.User, responses=error_responses(404, 413))
async def add_room_member(caller: Caller, room_id: schemas.PathId, body: schemas.MemberAdd) -> JsonBytes:
    """Take a user into a room, also a private one; owner only. Adding a member again changes nothing."""
    return JsonBytes(await caller.add_room_member(room_id, user_id=body.user_id, username=body.username))


@router.get("/{room_id}/messages", response_model=list[schemas.Message], responses=error_responses(404, 501))
async def list_messages(  # noqa: PLR0913, PLR0917 - as many as the route has
    caller: Caller,
    room_id: schemas.PathId,
    skip: schemas.Skip = 0,
    limit: schemas.Limit = 50,
    before_seq: schemas.Seq | None = None,
    after_seq: schemas.Seq | None = None,
) -> Response:
    """The history of a room, newest first; with ``after_seq`` oldest first. With a place, ``skip`` means nothing."""
    with spanish_room_errors(room_id):
        answer = await caller.list_messages(room_id, skip=skip, limit=limit, before_seq=before_seq, after_seq=after_seq)
    return json_response(answer)


@router.put("/{room_id}/read", response_model=schemas.RoomReading, responses=error_responses(400, 404, 413, 501))
async def mark_read(caller: Caller, room_id: schemas.PathId, body: schemas.ReadMark) -> JsonBytes:
    """Say up to which place one has read; an older place than the one before changes nothing."""
    with spanish_room_errors(room_id):
        return JsonBytes(await caller.mark_read(room_id, body.seq))


@router.post(
    "/{room_id}/messages", status_code=201, response_model=schemas.Message, responses=error_responses(404, 413)
)
async def send_message(
    caller: Caller,
    room_id: schemas.PathId,
    body: schemas.MessageCreate,
    idempotency_key: Annotated[str | None, Header(pattern=r"^[\x20-\x7e]{1,128}$")] = None,
) -> JsonBytes:
    """Store a message and send it to the open sockets of the room; with a key that was used, give the first one."""
    with spanish_room_errors(room_id):
        message = await caller.send_message(
            room_id, content=body.content, file_id=body.file_id, client_id=idempotency_key
        )
    return JsonBytes(message, 201)


@router.patch(
    "/{room_id}/messages/{message_id}", response_model=schemas.Message, responses=error_responses(404, 413, 501)
)
async def edit_message(
    caller: Caller, room_id: schemas.PathId, message_id: schemas.PathId, body: schemas.MessageEdit
) -> JsonBytes:
    """Give a message of one's own another text."""
    with spanish_room_errors(room_id):
        return JsonBytes(await caller.edit_message(room_id, message_id, content=body.content))


@router.delete("/{room_id}/messages/{message_id}", status_code=204, responses=error_responses(404, 501))
async def delete_message(caller: Caller, room_id: schemas.PathId, message_id: schemas.PathId) -> Response:
    """Delete a message of one's own, or as the owner of the room any; deleting it again changes nothing."""
    with spanish_room_errors(room_id):
        await caller.delete_message(room_id, message_id)
    return Response(status_code=204)


@router.get("/{room_id}/changes", response_model=list[schemas.MessageChange], responses=error_responses(404, 501))
async def list_changes(
    caller: Caller, room_id: schemas.PathId, after: schemas.Seq = 0, limit: schemas.Limit = 50
) -> JsonBytes:
    """The messages whose last change is behind ``after``, in the order of these changes."""
    with spanish_room_errors(room_id):
        return JsonBytes(await caller.list_changes(room_id, after=after, limit=limit))
