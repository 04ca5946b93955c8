"""Takes the body of a large request out of uvicorn: the core reads it from the socket itself.

What uvicorn has read already is taken from its request; then the transport stays paused and a duplicate of its
descriptor goes to the core. uvicorn's parser does not see the rest, so the connection ends with the answer.

None of what is touched here is public. Tried with uvicorn 0.54, over httptools and h11. Everything is looked at before
anything is changed: under another server, behind something that wraps ``receive``, or where a release keeps things
elsewhere, the body comes through ASGI messages as usual.
"""

import logging
import os
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
