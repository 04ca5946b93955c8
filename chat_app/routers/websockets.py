"""Who is online, and the WebSocket route that serves where the socket cannot be handed over.

Normally ``chat_app.serve.handoff`` gives the connection to the core before any ASGI message exists. With TLS in the
server, other servers, or a test client it cannot; then the same session of the core is fed through ASGI messages here.
"""

from fastapi import APIRouter, Response, WebSocket

from chat_app import schemas
from chat_app.dependencies import OnlineListCaller, RunningCore, error_responses
from chat_app.json_routes import EncodedJson
from chat_app.serve.bridge import serve_bridge

router = APIRouter(tags=["sockets"])


@router.get(
    "/api/ws/rooms/{room_id}/online",
    response_model=schemas.OnlineUsers,
    responses=error_responses(401, 403, 404, authenticated=False),
    # The token may be in the query instead.
    openapi_extra={"security": [{"HTTPBearer": []}, {}]},
)
@router.get("/ws/rooms/{room_id}/online", include_in_schema=False)
async def list_online_users(caller: OnlineListCaller, room_id: schemas.PathId) -> Response:
    """The users with an open socket in the room, in order of connection."""
    return EncodedJson(await caller.list_online_users(room_id))


@router.websocket("/api/ws/{room_id}")
@router.websocket("/ws/{room_id}")
async def chat_socket(websocket: WebSocket, room_id: str, core: RunningCore) -> None:
    """Carry the frames of one session; a refused handshake is a 403, the socket is never accepted."""
    query = websocket.url.query
    protocols: list[str] = websocket.scope.get("subprotocols", [])
    await serve_bridge(websocket, lambda on_output: core.open_bridge(room_id, query, protocols, on_output=on_output))
