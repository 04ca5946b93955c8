"""Takes WebSocket connections out of uvicorn: the file descriptor goes to the core and no frame touches Python.

uvicorn makes an object of ``config.ws_protocol_class`` for each upgrade request and gives it the transport and the
complete request head. Ours either hands a duplicate of the descriptor to the core and drops the original, or turns
into the class that was configured, which then serves the upgrade as if we had never been there.
"""

import asyncio
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

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


def install_handoff(config: Any, core: Core) -> Callable[[], None]:
    """Put our protocol class into uvicorn's configuration; the result takes it out again."""
    configured = config.ws_protocol_class
    base = configured or _NoWebSocketProtocol
    config.ws_protocol_class = type("HandoffProtocol", (_HandoffMixin, base), {"core": core, "base": base})

    def uninstall() -> None:
        config.ws_protocol_class = configured

    return uninstall


class _HandoffMixin(asyncio.Protocol):
    """Decides on the complete request head; ``install_handoff`` puts it in front of the configured class.

    Nothing of the configured class runs before the decision, and nothing at all after a take-over: it would look for
    state that only its own ``connection_made`` creates.
    """

    core: Core
    base: type[asyncio.Protocol]

    def __init__(self, **arguments: Any) -> None:
        self._arguments = arguments
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            # Taken over already.
            return
        if self._take_over(transport, data):
            transport.abort()
        else:
            self._decline(transport, data)

    def eof_received(self) -> None:
        pass

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass

    def connection_lost(self, _error: Exception | None) -> None:
        pass

    def _take_over(self, transport: asyncio.Transport, head: bytes) -> bool:
        config = self._arguments["config"]
        socket = transport.get_extra_info("socket")
        if (
            socket is None
            or transport.get_extra_info("sslcontext") is not None
            or transport.is_closing()
            or transport.get_write_buffer_size() > 0
            or not _is_ours(head, config.root_path)
        ):
            return False
        try:
            descriptor = os.dup(socket.fileno())
        except OSError as error:
            logger.warning("socket hand-off declined: %s", error)
            return False
        try:
            self.core.accept_socket(
                descriptor,
                head,
                root_path=config.root_path,
                ping_interval=config.ws_ping_interval,
                ping_timeout=config.ws_ping_timeout,
                max_frame_bytes=config.ws_max_size,
                max_connections=config.limit_concurrency,
            )
        except Exception as error:  # noqa: BLE001
            # Whatever the reason, the descriptor is still ours, and the configured class can serve the client.
            os.close(descriptor)
            logger.warning("socket hand-off declined: %s", error)
            return False
        return True

    def _decline(self, transport: asyncio.Transport, data: bytes) -> None:
        """Become what uvicorn would have made without us."""
        arguments = self._arguments
        self.__dict__.clear()
        self.__class__ = self.base  # type: ignore[assignment]
        self.__init__(**arguments)  # type: ignore[misc]
        self.connection_made(transport)
        self.data_received(data)


class _NoWebSocketProtocol(asyncio.Protocol):
    """Stands in when uvicorn has no WebSocket library: refuses upgrades that are not ours, as those do."""

    def __init__(self, **_arguments: Any) -> None:
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, _data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self._transport.close()
            self._transport = None


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
