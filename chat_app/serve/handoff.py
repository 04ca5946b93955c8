"""Takes WebSocket connections out of uvicorn: the file descriptor goes to the core and no frame touches Python.

uvicorn makes an object of the class in its ``ws`` option for each upgrade request and gives it the transport and the
complete request head. ``HandoffProtocol`` is such a class: it either hands a duplicate of the descriptor to the core
and drops the original, or passes everything on to the class that would serve the upgrade without it.

``chat_app.serve`` names the class in uvicorn's options. For a bare ``uvicorn chat_app.main:app`` it is put into the
server's configuration when the lifespan starts.
"""

import asyncio
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, cast

from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

from chat_app._native import Core

logger = logging.getLogger("izpochat.handoff")

_MAX_CLOSURE_DEPTH = 4
# /engine.io is refused by the core but under the conformance suite, as any unknown path is.
_OUR_PATH = re.compile(
    rb"(?:/api)?/ws/[^/]+/?|/(?:socket|engine)\.io/?"
    # Clients of ws-hub append nothing to their base address, or /ws.
    rb"|/|/ws/?|/compat/ws-hub(?:/ws)?/?"
)
_VERSION = re.compile(rb"\r\nsec-websocket-version:[ \t]*13[ \t]*\r\n", re.IGNORECASE)
_KEY = re.compile(rb"\r\nsec-websocket-key:[ \t]*\S", re.IGNORECASE)
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
# Middleware that passes sockets on untouched, by module and name.
_HTTP_ONLY = frozenset(
    {
        "chat_app.compat.mount.CompatibleSystemsMiddleware",
        "chat_app.middleware.ContractCORS",
        "chat_app.middleware.HeadMiddleware",
        "chat_app.middleware.KeptPrefixMiddleware",
        "chat_app.serve.lifespan.ServiceMiddleware",
        "chat_app.serve.unread_body.UnreadBodyMiddleware",
        "prometheus_fastapi_instrumentator.middleware.PrometheusInstrumentatorMiddleware",
        "starlette.middleware.cors.CORSMiddleware",
        "starlette.middleware.gzip.GZipMiddleware",
    }
)


def find_uvicorn_config(receive: object) -> Any | None:
    """The ``uvicorn.Config`` behind the ``receive`` of a lifespan, or None under any other server.

    ``receive`` is a bound method of uvicorn's lifespan object; trace logging or another application around ours may
    wrap it in closures.
    """
    config_module = sys.modules.get("uvicorn.config")
    if config_module is None:
        return None
    for candidate in _walk_closures(receive, _MAX_CLOSURE_DEPTH):
        config = getattr(getattr(candidate, "__self__", None), "config", None)
        # Hypercorn has a class of the same name.
        if isinstance(config, config_module.Config):
            return config
    return None


def _walk_closures(function: object, depth: int) -> Iterator[object]:
    yield function
    if depth == 0 or not inspect.isfunction(function):
        return
    for cell in function.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:
            continue
        if callable(content):
            yield from _walk_closures(content, depth - 1)


def may_hand_off(app: FastAPI, config: Any | None) -> bool:
    """Whether sockets may go around the application.

    They may not if something in between is meant to see them: an application around this one, or middleware that is
    not known to leave sockets alone. Then they come through ASGI messages, at the price of some speed.
    """
    if config is None:
        return False
    served = getattr(config, "loaded_app", None)
    while type(served).__module__.startswith("uvicorn."):
        served = getattr(served, "app", None)
    if served is not app:
        logger.info("sockets pass through Python: another application stands around this one")
        return False
    for middleware in app.user_middleware:
        kind: Any = middleware.cls
        name = f"{kind.__module__}.{getattr(kind, '__qualname__', kind)}"
        is_http_only = inspect.isclass(kind) and issubclass(kind, BaseHTTPMiddleware)
        if not is_http_only and name not in _HTTP_ONLY:
            logger.info("sockets pass through Python: %s may be meant to see them", name)
            return False
    return True


def install_handoff(config: Any | None) -> Callable[[], None]:
    """Put the protocol class into uvicorn's configuration, unless it is there; the result takes it out again."""
    configured = None if config is None else config.ws_protocol_class
    if config is None or (inspect.isclass(configured) and issubclass(configured, HandoffProtocol)):
        return lambda: None
    config.ws_protocol_class = type(
        "HandoffProtocol", (HandoffProtocol,), {"fallback": staticmethod(configured or _uvicorns_own)}
    )

    def uninstall() -> None:
        config.ws_protocol_class = configured

    return uninstall


def _uvicorns_own(**arguments: Any) -> asyncio.Protocol:
    """What uvicorn picks by itself: the class of an installed WebSocket library."""
    from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol  # noqa: PLC0415 - other servers have no uvicorn

    # None without such a library, which is among the requirements.
    assert AutoWebSocketsProtocol is not None
    return AutoWebSocketsProtocol(**arguments)


class HandoffProtocol(asyncio.Protocol):
    """Decides on the complete request head; the arguments are those uvicorn gives to a class of its ``ws`` option."""

    fallback: ClassVar[Callable[..., asyncio.Protocol]] = staticmethod(_uvicorns_own)

    def __init__(self, **arguments: Any) -> None:
        self._arguments = arguments
        self._transport: asyncio.Transport | None = None
        self._delegate: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request head."""
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Decide on the request head; whatever comes later is for the fall-back."""
        if self._delegate is not None:
            self._delegate.data_received(data)
            return
        transport, self._transport = self._transport, None
        if transport is None:
            # Taken over already.
            return
        if not self._take_over(transport, data):
            self._delegate = self.fallback(**self._arguments)
            self._delegate.connection_made(transport)
            self._delegate.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return None if self._delegate is None else self._delegate.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._delegate is not None:
            self._delegate.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._delegate is not None:
            self._delegate.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Pass it on."""
        if self._delegate is not None:
            self._delegate.connection_lost(error)

    def _take_over(self, transport: asyncio.Transport, head: bytes) -> bool:
        """Give the socket to the core, or refuse it; False if it is the fall-back's."""
        core: Core | None = self._arguments.get("app_state", {}).get("handoff_core")
        config = self._arguments["config"]
        socket = transport.get_extra_info("socket")
        if (
            core is None
            or socket is None
            or transport.get_extra_info("sslcontext") is not None
            or transport.is_closing()
            or transport.get_write_buffer_size() > 0
            or not _is_ours(head, config.root_path)
        ):
            return False
        try:
            descriptor = os.dup(socket.fileno())
        except OSError as error:
            # The process has no file left to open; the service has none either.
            logger.warning("a socket is refused: %s", error)
            transport.write(_UNAVAILABLE)
            transport.close()
            return True
        try:
            core.accept_socket(
                descriptor,
                head,
                root_path=config.root_path,
                ping_interval=config.ws_ping_interval,
                ping_timeout=config.ws_ping_timeout,
                max_frame_bytes=config.ws_max_size,
                max_connections=config.limit_concurrency,
            )
        except Exception as error:  # noqa: BLE001
            # Whatever the reason, the descriptor is still ours, and the fall-back can serve the client.
            os.close(descriptor)
            logger.warning("socket hand-off declined: %s", error)
            return False
        transport.abort()
        return True


def _is_ours(head: bytes, root_path: str) -> bool:
    """Whether the core serves this request, even if only to refuse it."""
    try:
        method, target, _version = head.partition(b"\r\n")[0].split(b" ")
    except ValueError:
        return False
    path = target.partition(b"?")[0]
    root = root_path.rstrip("/").encode()
    if root and path.startswith(root + b"/"):
        path = path[len(root) :]
    if method != b"GET" or not _OUR_PATH.fullmatch(path):
        return False
    # Only so far that the core will not refuse what the configured class would serve; it reads the head itself.
    return _VERSION.search(head) is not None and _KEY.search(head) is not None
