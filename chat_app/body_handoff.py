"""Takes the body of a large request out of uvicorn: the core reads it from the socket itself.

What uvicorn has read already is taken from its request; then the transport stays paused and a duplicate of its
descriptor goes to the core. uvicorn's parser does not see the rest, so the connection ends with the answer. Where the
request is not one of uvicorn's, or its connection is no plain socket, the body comes through ASGI messages as usual.
"""

import os

from starlette.requests import Request

from chat_app.uvicorn_cycle import cycle_of

# For less than this, keeping the connection is worth more.
_MIN_BYTES = 256 * 1024
_CLOSE = (b"connection", b"close")


def take_rest(request: Request) -> tuple[bytes, int, int] | None:
    """The bytes of the body that have come, the descriptor with the rest, and how many bytes that is.

    None if the body has to be read as usual. The descriptor belongs to the caller.
    """
    cycle = cycle_of(request.receive)
    length = request.headers.get("content-length", "")
    if cycle is None or not (length.isascii() and length.isdigit()):
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
    return start, descriptor, rest
