"""Who is online, and the WebSocket route that serves where the socket cannot be handed over.

Normally ``chat_app.handoff`` gives the connection to the core before any ASGI message exists. With TLS in the server,
other servers, or a test client it cannot; then the same session of the core is fed through ASGI messages here.
"""

from fastapi import APIRouter, WebSocket

from chat_app import schemas
from chat_app._native import Core
from chat_app.bridging import serve_bridge
from chat_app.dependencies import OnlineCaller, error_responses
from chat_app.json_route import JsonBytes, JsonRoute

router = APIRouter(tags=["sockets"], route_class=JsonRoute)


@router.get(
    "/api/ws/rooms/{room_id}/online",
    response_model=schemas.OnlineUsers,
    responses=error_responses(401, 403, 404, authenticated=False),
    openapi_extra={
        "parameters": [{"name": "token", "in": "query", "required": False, "schema": {"type": "string"}}],
        "security": [{"HTTPBearer": []}, {}],
    },
)
@router.get("/ws/rooms/{room_id}/online", include_in_schema=False)
async def list_online_users(caller: OnlineCaller, room_id: schemas.PathId) -> JsonBytes:
    """Who has an open socket in the room; the token may be in the query."""
    return JsonBytes(await caller.list_online_users(room_id))


@router.websocket("/api/ws/{room_id}")
@router.websocket("/ws/{room_id}")
async def chat_socket(websocket: WebSocket, room_id: str) -> None:
    """Carry the frames of one session; a refused handshake is a 403, the socket is never accepted."""
    core: Core = websocket.app.state.core
    query = websocket.url.query
    await serve_bridge(websocket, lambda on_output: core.open_bridge(room_id, query, on_output=on_output))
