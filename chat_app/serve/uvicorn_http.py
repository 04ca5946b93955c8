"""What is touched of uvicorn's HTTP protocol, none of which is public. Tried with uvicorn 0.54.

- The body of a large request is taken out, over httptools and h11: the core reads it from the socket itself. What
  uvicorn has read already is taken from its request; then the transport stays paused and a duplicate of its descriptor
  goes to the core. uvicorn's parser does not see the rest, so the connection ends with the answer.
- An offer to upgrade to anything but WebSocket is removed in front of httptools, which would drop the body behind it.
  Clients in Java and Kotlin offer h2c with every request.

Everything is looked at before anything is changed: under another server, behind something that wraps ``receive``, or
where a release keeps things elsewhere, requests are served as usual.
"""

import logging
import os
import re
from collections.abc import Callable
from typing import Any

from fastapi import Request

from chat_app.serve.unread_body import WatchedBody

logger = logging.getLogger("izpochat.handoff")

_REQUESTS = frozenset(
    f"uvicorn.protocols.http.{module}.RequestResponseCycle" for module in ("httptools_impl", "h11_impl")
)
_ATTRIBUTES = (
    "body",
    "disconnected",
    "flow",
    "keep_alive",
    "more_body",
    "scope",
    "transport",
    "waiting_for_100_continue",
)
# For less than this, keeping the connection is worth more.
_MIN_BYTES = 256 * 1024
_CLOSE = (b"connection", b"close")
_OTHER_UPGRADE = re.compile(rb"\r\nupgrade:(?![^\r\n]*websocket)[^\r\n]*", re.IGNORECASE)


def take_rest(request: Request) -> tuple[bytes, int, int] | None:
    """The bytes of the body that have come, the descriptor with the rest, and how many bytes that is.

    None if the body has to be read as usual. The descriptor belongs to the caller.
    """
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or int(length) < _MIN_BYTES:
        return None
    watched = getattr(request.receive, "__self__", None)
    cycle = _uvicorns_request(watched.inner if isinstance(watched, WatchedBody) else request.receive)
    if cycle is None:
        logger.debug("a request body comes through ASGI messages: it is not read from uvicorn as it is known here")
        return None
    transport = cycle.transport
    socket = transport.get_extra_info("socket")
    rest = int(length) - len(cycle.body)
    if (
        rest < _MIN_BYTES
        or not cycle.more_body
        or cycle.disconnected
        or transport.is_closing()
        or socket is None
        or transport.get_extra_info("sslcontext") is not None
    ):
        return None
    cycle.flow.pause_reading()
    descriptor = os.dup(socket.fileno())
    if cycle.waiting_for_100_continue:
        cycle.waiting_for_100_continue = False
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    cycle.keep_alive = False
    # Some releases look here for whether to announce it.
    cycle.scope["headers"] = [*cycle.scope["headers"], _CLOSE]
    start, cycle.body = bytes(cycle.body), type(cycle.body)()
    if isinstance(watched, WatchedBody):
        # The core reads to the end of it, also of what it refuses.
        watched.is_unread = False
    return start, descriptor, rest


def _uvicorns_request(receive: Any) -> Any | None:
    """The object behind the ``receive`` of a request, if it is uvicorn's and has what is needed of it."""
    cycle: Any = getattr(receive, "__self__", None)
    kind = type(cycle)
    is_known = (
        f"{kind.__module__}.{kind.__qualname__}" in _REQUESTS
        and all(hasattr(cycle, name) for name in _ATTRIBUTES)
        and isinstance(cycle.body, bytes | bytearray)
        and hasattr(cycle.flow, "pause_reading")
    )
    return cycle if is_known else None


def ignore_other_upgrades(config: Any | None) -> Callable[[], None]:
    """Have uvicorn ignore offers to upgrade to anything but WebSocket; the result takes it back."""
    configured: Any = None if config is None else config.http_protocol_class
    if config is None or getattr(configured, "__module__", "") != "uvicorn.protocols.http.httptools_impl":
        return lambda: None

    class Protocol(configured):  # type: ignore[misc]
        def data_received(self, data: bytes) -> None:
            if b"pgrade:" in data and not getattr(getattr(self, "cycle", None), "more_body", False):
                # No body is being read, so this begins with a head.
                head, end, rest = data.partition(b"\r\n\r\n")
                data = _OTHER_UPGRADE.sub(b"", head) + end + rest
            super().data_received(data)

    config.http_protocol_class = Protocol

    def take_back() -> None:
        config.http_protocol_class = configured

    return take_back
