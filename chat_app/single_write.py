"""Sends the head of an answer together with its body.

uvicorn writes the head when it is told of it and the body when it is told of that, each with a system call, a segment
and a wake-up of the client of its own.
"""

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from chat_app.uvicorn_cycle import cycle_of

# More than this is not copied to stand behind the head.
_MAX_COPIED_BYTES = 16 * 1024


async def send_at_once(response: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response, all of it: its head waits for the first piece of its body."""
    cycle = cycle_of(receive)
    if cycle is None:
        await response(scope, receive, send)
        return
    transport = cycle.transport
    cycle.transport = held = _HeldHead(transport)
    try:
        await response(scope, receive, send)
    finally:
        cycle.transport = transport
        held.flush()


class _HeldHead:
    """Stands in front of a transport, and keeps the first write until the second or ``flush``."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._is_first = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._is_first:
            self._is_first, self._head = False, data
        elif self._head is None:
            self._transport.write(data)
        elif len(data) <= _MAX_COPIED_BYTES:
            head, self._head = self._head, None
            self._transport.write(head + data)
        else:
            head, self._head = self._head, None
            self._transport.writelines((head, data))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Write what is still kept: there was no body."""
        head, self._head = self._head, None
        if head is not None:
            self._transport.write(head)
