"""``/socket.io/``: polling, and WebSocket where the socket cannot be handed over. The protocol is the core's."""

import asyncio
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from chat_app._native import ChatError, Core
from chat_app.core.paths import path_below_root
from chat_app.serve.bridge import serve_bridge

SOCKET_IO_PATH = "/socket.io"

# The longest body, as clients are told in the handshake.
_MAX_BODY_BYTES = 1_000_000
_BODY_SECONDS = 30.0


class SocketIo:
    """The ASGI application of the path."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket."""
        path, query = path_below_root(scope).removesuffix("/"), scope["query_string"].decode("latin-1")
        authorization = Headers(scope=scope).get("authorization")
        if scope["type"] == "websocket":
            await serve_bridge(
                WebSocket(scope, receive, send),
                lambda on_output: self._core.open_socket_io_bridge(path, query, authorization, on_output=on_output),
            )
            return
        request = Request(scope, receive)
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _read_body(request)
        except ClientDisconnect:
            self._core.abandon_socket_io(path, query)
            return
        except TimeoutError:
            self._core.abandon_socket_io(path, query)
            await Response(status_code=408)(scope, receive, send)
            return
        if body is None:
            await Response(status_code=413)(scope, receive, send)
            return
        try:
            answer = self._core.request_socket_io(path, scope["method"], query, authorization, body)
            answered = await _before_disconnect(asyncio.ensure_future(answer), receive)
        except ChatError:
            # The core is stopping; the client comes back.
            await Response(status_code=503)(scope, receive, send)
            return
        if answered is None:
            self._core.abandon_socket_io(path, query)
            return
        status, content_type, content = answered
        await Response(content, status, {"Content-Type": content_type})(scope, receive, send)


def uncacheable(app: ASGIApp) -> ASGIApp:
    """The same application, none of whose answers may be kept: what polling brings is gone afterwards."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_no_store(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["Cache-Control"] = "no-store"
            await send(message)

        await app(scope, receive, send_no_store)

    return serve


async def _read_body(request: Request) -> bytes | None:
    """The body; None if it is too long."""
    if request.headers.get("content-length", "0").isdecimal():
        announced = int(request.headers.get("content-length", "0"))
        if announced > _MAX_BODY_BYTES:
            return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            return None
    return bytes(body)


async def _before_disconnect(
    answer: asyncio.Future[tuple[int, str, bytes]], receive: Receive
) -> tuple[int, str, bytes] | None:
    """The answer, or None if the client is gone before it."""
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        both: set[asyncio.Future[Any]] = {answer, gone}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        gone.cancel()
        answer.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
