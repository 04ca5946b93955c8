"""Lets a client finish sending a body that nobody reads, so that it sees its answer.

A server that closes a connection on which bytes are unread resets it, and the answer is lost on its way: a proxy says
502. Where the connection ends with the answer, as behind most proxies, what is left of the body is read and thrown away
between the last byte of the answer and its end. Connections that stay open need none of this.
"""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# More is not waited for: the client loses its answer then.
_MAX_BYTES = 128 * 1024 * 1024
_MAX_SECONDS = 10.0
# Most requests; looking at their headers would cost each of them.
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class UnreadBodyMiddleware:
    """Reads the rest of a request's body behind an early answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and stay until its body is there."""
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY or not _ends_with_answer(scope):
            await self._app(scope, receive, send)
            return
        body = WatchedBody(receive)

        async def send_before_rest(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False) and body.is_unread:
                await send({**message, "more_body": True})
                await body.discard()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, body.receive, send_before_rest)


class WatchedBody:
    """The ``receive`` of a request, which remembers whether the body has come.

    Args:
        inner: the server's.
    """

    def __init__(self, inner: Receive) -> None:
        self.inner = inner
        # False when the rest of the body is somebody else's.
        self.is_unread = True

    async def receive(self) -> Message:
        """The next message."""
        message = await self.inner()
        self.is_unread = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Read what is left, within bounds."""
        length = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_MAX_SECONDS):
                while self.is_unread and length < _MAX_BYTES:
                    length += len((await self.receive()).get("body", b""))


def _ends_with_answer(scope: Scope) -> bool:
    """Whether a request has a body, and the connection ends with its answer.

    A client that waits for "100 Continue" sends nothing before it, and gets its answer instead.
    """
    headers = Headers(scope=scope)
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if not has_body or "expect" in headers:
        return False
    connection = headers.get("connection", "").lower()
    return "close" in connection or (scope["http_version"] == "1.0" and "keep-alive" not in connection)
