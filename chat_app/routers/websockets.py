"""Who is online, and the WebSocket route that serves where the socket cannot be handed over.

Normally ``chat_app.handoff`` gives the connection to the core before any ASGI message exists. With TLS in the server,
other servers, or a test client it cannot; then the same session of the core is fed through ASGI messages here.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import anyio
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from chat_app import schemas
from chat_app._native import ChatError, Core, SocketBridge
from chat_app.dependencies import OnlineCaller, error_responses
from chat_app.json_route import JsonBytes, JsonRoute

logger = logging.getLogger("izpochat.socket")

# The client is gone, or the server has closed the socket during its own shutdown.
_SOCKET_GONE = (WebSocketDisconnect, RuntimeError)

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
    output_ready = asyncio.Event()
    try:
        bridge = await core.open_bridge(
            room_id,
            websocket.query_params.get("token"),
            on_output=_wake_up(asyncio.get_running_loop(), output_ready),
        )
    except ChatError as error:
        if error.code != "handshake_refused":
            logger.warning("socket handshake failed: %s", error)
        await websocket.close()
        return
    try:
        await websocket.accept()
        await _carry(websocket, bridge, output_ready)
    finally:
        bridge.disconnect()


def _wake_up(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> Callable[[], None]:
    def wake_up() -> None:
        # The core may report once more while the loop goes down; then nobody waits.
        if not loop.is_closed():
            loop.call_soon_threadsafe(event.set)

    return wake_up


async def _carry(websocket: WebSocket, bridge: SocketBridge, output_ready: asyncio.Event) -> None:
    """Run both directions until either ends; neither survives the other."""
    closed: tuple[int, str] | None = None
    async with anyio.create_task_group() as group:

        async def send() -> None:
            nonlocal closed
            closed = await _send(websocket, bridge, output_ready)
            group.cancel_scope.cancel()

        group.start_soon(send)
        await _receive(websocket, bridge)
        group.cancel_scope.cancel()
    if closed is not None:
        # Only now: granian does not close while somebody waits in receive().
        with contextlib.suppress(*_SOCKET_GONE):
            await websocket.close(*closed)


async def _receive(websocket: WebSocket, bridge: SocketBridge) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is None:
            await bridge.send_binary(message.get("bytes") or b"")
        else:
            await bridge.send_text(text)


async def _send(websocket: WebSocket, bridge: SocketBridge, output_ready: asyncio.Event) -> tuple[int, str] | None:
    """Send until the session ends, which gives code and reason, or the client is gone."""
    while True:
        await output_ready.wait()
        # Cleared before the output is taken: what comes later sets it again.
        output_ready.clear()
        frames, closed = bridge.take_output()
        try:
            for frame in frames:
                if isinstance(frame, str):
                    await websocket.send_text(frame)
                else:
                    await websocket.send_bytes(frame)
        except _SOCKET_GONE:
            return None
        if closed is not None:
            return closed
