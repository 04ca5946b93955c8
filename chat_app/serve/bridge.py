"""A session of the core whose frames travel through ASGI messages.

For where the socket cannot be handed over: TLS in the server, other servers, a test client.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import anyio
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from chat_app._native import ChatError, SocketBridge

logger = logging.getLogger("izpochat.socket")

# The client is gone, or the server has closed the socket during its own shutdown.
_SOCKET_GONE = (WebSocketDisconnect, RuntimeError)

_OpenBridge = Callable[[Callable[[], object]], Awaitable[SocketBridge]]


async def serve_bridge(websocket: WebSocket, open_bridge: _OpenBridge) -> None:
    """Carry the frames of one session; a refused handshake is a 403, one that cannot be decided now a 503.

    Args:
        websocket: not accepted yet.
        open_bridge: opens the session in the core, given what the core calls when there is output.
    """
    output_ready = asyncio.Event()
    try:
        bridge = await open_bridge(_wake_up(asyncio.get_running_loop(), output_ready))
    except ChatError as error:
        if error.code != "handshake_refused":
            logger.warning("socket handshake failed: %s", error)
        if error.code == "database_unavailable" and "websocket.http.response" in websocket.scope.get("extensions", {}):
            await websocket.send_denial_response(Response(status_code=503, headers={"Retry-After": "1"}))
        else:
            await websocket.close()
        return
    try:
        # Clients that offer subprotocols end the connection if none is chosen.
        await websocket.accept(subprotocol=next(iter(websocket.scope.get("subprotocols", [])), None))
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
