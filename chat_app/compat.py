"""Where the sibling systems are mounted: reads a request, has the core answer it, sends the answer.

Apart from the framework on purpose: what is mounted here has its own errors, redirects nowhere, and is no part of the
API's documentation. The core knows the routes; here is only which paths are theirs.
"""

import json
import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from chat_app._native import ChatError, Core
from chat_app.bridging import serve_bridge
from chat_app.core.compat import CompatConfig
from chat_app.sibling_cors import SiblingCORS

# Nothing that is sent here as JSON comes near it.
MAX_BODY_BYTES = 256 * 1024

# What clashes with nothing of the service is also served without the mount.
_AT_THE_ORIGIN = {"meetings": ["/api/meetings"], "calls": ["/users", "/calls", "/rooms", "/livekit", "/devices"]}
# Clients of ws-hub append nothing to their base address, or /ws.
_SOCKETS = frozenset(("", "/ws", "/compat/ws-hub", "/compat/ws-hub/ws"))
_UNAVAILABLE = json.dumps(
    {"message": "Service temporarily unavailable", "error": "Service temporarily unavailable"}
).encode()


class CompatMount:
    """An ASGI application for the paths of the sibling systems.

    Args:
        core: answers.
        config: which systems are served; the paths of the others are nobody's.
    """

    def __init__(self, core: Core, config: CompatConfig) -> None:
        self._core = core
        self._ours = _pattern(config.systems)
        self._has_socket = "ws-hub" in config.systems
        self._calls = _pattern([system for system in config.systems if system == "calls"])
        self._cors = SiblingCORS(self._answer, config.origins)
        self._calls_cors = SiblingCORS(self._answer, config.open_origins)

    def serves(self, scope: Scope) -> bool:
        """Whether a request or a socket is for a sibling system."""
        if scope["type"] == "websocket":
            return self._has_socket and _path(scope).removesuffix("/") in _SOCKETS
        return self._ours.fullmatch(_path(scope)) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or serve a socket that could not be handed over."""
        if scope["type"] == "websocket":
            path = _path(scope)
            await serve_bridge(
                WebSocket(scope, receive, send),
                lambda on_output: self._core.open_compat_bridge(path, on_output=on_output),
            )
            return
        is_call = self._calls.fullmatch(_path(scope)) is not None
        await (self._calls_cors if is_call else self._cors)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read(receive)
        except ConnectionError:
            return
        try:
            status, headers, answer = await self._core.answer_compat(
                method=scope["method"],
                path=_path(scope),
                query=scope["query_string"].decode("latin-1"),
                authorization=Headers(scope=scope).get("authorization"),
                body=body,
            )
        except ChatError:
            # The core is stopping; whatever else happens it answers itself.
            status, headers, answer = 503, [(b"content-type", b"application/json; charset=utf-8")], _UNAVAILABLE
        headers.append((b"content-length", str(len(answer)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def _pattern(systems: Iterable[str]) -> re.Pattern[str]:
    prefixes = [
        re.escape(prefix) for system in systems for prefix in (f"/compat/{system}", *_AT_THE_ORIGIN.get(system, ()))
    ]
    # Without prefixes it matches nothing.
    return re.compile(f"(?:{'|'.join(prefixes)})(?:/.*)?" if prefixes else r"(?!)", re.DOTALL)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


async def _read(receive: Receive) -> bytes | None:
    """The body; None if it is larger than any answer needs.

    Raises:
        ConnectionError: the client has gone.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)
