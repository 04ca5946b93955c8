"""Where the compatible systems are mounted: reads a request, has the core answer it, sends the answer.

Apart from the framework on purpose: what is mounted here has its own errors, redirects nowhere, and is no part of the
API's documentation. The core knows the routes; here is only which paths are theirs.
"""

import asyncio
import json
import logging
import re
from collections.abc import Iterable
from contextlib import nullcontext

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from chat_app._native import ChatError, Content, Core
from chat_app.compat.cors import SiblingCORS
from chat_app.compat.socket_io import SOCKET_IO_PATH, SocketIo, uncacheable
from chat_app.core.compat import CompatConfig
from chat_app.core.paths import path_below_root
from chat_app.file_transfer import conditions
from chat_app.middleware import as_get
from chat_app.serve.bridge import serve_bridge

logger = logging.getLogger("izpochat.compat")

# What clashes with nothing of the service is also served without the mount.
_AT_THE_ORIGIN = {"meetings": ["/api/meetings"], "calls": ["/users", "/calls", "/rooms", "/livekit", "/devices"]}
# Bodies beyond the usual size are kept in memory like all others: few at a time, and none for long.
_USUAL_BODY_BYTES = 256 * 1024
_LARGE_BODIES = 16
_BODY_SECONDS = 30.0
_LARGE_BODY_SECONDS = 120.0
# Which has the length of what is not sent.
_NOT_MODIFIED = 304
# Clients of ws-hub append nothing to their base address, or /ws.
_SOCKETS = frozenset(("", "/ws", "/compat/ws-hub", "/compat/ws-hub/ws"))
_JSON = (b"content-type", b"application/json; charset=utf-8")
_UNAVAILABLE = json.dumps(
    {"message": "Service temporarily unavailable", "error": "Service temporarily unavailable"}
).encode()
_STALLED = json.dumps({"message": "Request timeout", "error": "Request timeout"}).encode()

_Answer = tuple[int, list[tuple[bytes, bytes]], bytes | Content]


class CompatibleSystemsMiddleware:
    """Serves what is for a compatible system, which has rules and errors of its own, and passes on the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a socket."""
        systems: CompatibleSystems | None = None
        if scope["type"] != "lifespan":
            systems = scope["app"].state.compatible_systems
        app = None if systems is None else systems.application_for(scope)
        await (app or self._app)(scope, receive, send)


class CompatibleSystems:
    """The ASGI applications for the paths of the compatible systems.

    Args:
        core: answers.
        config: which systems are served; the paths of the others are nobody's.
    """

    def __init__(self, core: Core, config: CompatConfig) -> None:
        self._core = core
        self._ours = _pattern(config.systems)
        self._has_socket = "ws-hub" in config.systems
        self._calls = _pattern([system for system in config.systems if system == "calls"])
        self._socket_io = uncacheable(SiblingCORS(SocketIo(core), config.open_origins))
        self._cors = SiblingCORS(self._answer, config.origins)
        self._calls_cors = SiblingCORS(self._answer, config.open_origins)
        self._large_bodies = asyncio.Semaphore(_LARGE_BODIES)

    def application_for(self, scope: Scope) -> ASGIApp | None:
        """What serves a request or a socket; None if it is for no compatible system."""
        path = path_below_root(scope)
        if path.removesuffix("/") == SOCKET_IO_PATH:
            return self._socket_io
        if scope["type"] == "websocket":
            return self._serve_socket if self._has_socket and path.removesuffix("/") in _SOCKETS else None
        if self._ours.fullmatch(path) is None:
            return None
        return self._calls_cors if self._calls.fullmatch(path) is not None else self._cors

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a socket that could not be handed over."""
        path = path_below_root(scope)
        await serve_bridge(
            WebSocket(scope, receive, send),
            lambda on_output: self._core.open_compat_bridge(path, on_output=on_output),
        )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            scope, send = as_get(scope, send)
        request = Request(scope)
        limit = self._core.max_compat_body(
            method=scope["method"], path=path_below_root(scope), authorization=request.headers.get("authorization")
        )
        is_large = limit > _USUAL_BODY_BYTES
        try:
            async with self._large_bodies if is_large else nullcontext():
                async with asyncio.timeout(_LARGE_BODY_SECONDS if is_large else _BODY_SECONDS):
                    body = await _read(receive, limit)
                status, headers, answer = await self._ask(request, body)
        except ConnectionError:
            return
        except TimeoutError:
            status, headers, answer = 408, [_JSON], _STALLED
        length = len(answer) if isinstance(answer, bytes) else answer.length
        if status != _NOT_MODIFIED:
            headers.append((b"content-length", str(length).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if isinstance(answer, bytes):
            await send({"type": "http.response.body", "body": answer})
        else:
            await _send_content(answer, send)

    async def _ask(self, request: Request, body: bytes | None) -> _Answer:
        try:
            return await self._core.answer_compat(
                method=request.method,
                path=path_below_root(request.scope),
                query=request.scope["query_string"].decode("latin-1"),
                authorization=request.headers.get("authorization"),
                content_type=request.headers.get("content-type"),
                **conditions(request),
                body=body,
            )
        except ChatError:
            # The core is stopping; whatever else happens it answers itself.
            return 503, [_JSON], _UNAVAILABLE


async def _send_content(content: Content, send: Send) -> None:
    """Send the pieces at the client's pace; the server in front cuts an answer off that has no end."""
    try:
        while (chunk := await content.next_chunk()) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except ChatError as error:
        logger.warning("an image was cut off: %s", error)
        return
    await send({"type": "http.response.body", "body": b""})


def _pattern(systems: Iterable[str]) -> re.Pattern[str]:
    prefixes = [
        re.escape(prefix) for system in systems for prefix in (f"/compat/{system}", *_AT_THE_ORIGIN.get(system, ()))
    ]
    # Without prefixes it matches nothing.
    return re.compile(f"(?:{'|'.join(prefixes)})(?:/.*)?" if prefixes else r"(?!)", re.DOTALL)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The body; None if it has more than ``limit`` bytes. Nothing is waited for if the limit is zero.

    Raises:
        ConnectionError: the client has gone.
    """
    body = bytearray()
    while limit > 0:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            break
    return bytes(body)
