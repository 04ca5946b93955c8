"""Requests and responses of the API's own routes: JSON bodies with a bound, and JSON that the core has encoded."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from chat_app._native import HistoryChunks

# One message of the largest text fits, however it is escaped.
_MAX_BODY_BYTES = 4 * 1024 * 1024
# In all; more than a slow phone needs.
_BODY_SECONDS = 30.0


class JsonRoute(APIRoute):
    """A route whose body is bounded in bytes and time.

    The framework has a bound of its own, but answers in plain text, where errors have a ``detail``.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, given a request with a bound."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_bounded(request: Request) -> Response:
            return await handle(_BoundedRequest(request.scope, request.receive))

        return handle_bounded


class _BoundedRequest(Request):
    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            pieces = []
            length = 0
            try:
                async with asyncio.timeout(_BODY_SECONDS):
                    async for piece in self.stream():
                        pieces.append(piece)
                        length += len(piece)
                        if length > _MAX_BODY_BYTES:
                            raise HTTPException(413, "Request body too large")
            except TimeoutError as error:
                raise HTTPException(408, "Request Timeout") from error
            body = b"".join(pieces)
            # A bare null counts as no body (section 2.7 of the contract).
            self._body = b"" if body.strip() == b"null" else body
        return self._body


class EncodedJson(Response):
    """JSON as bytes, sent as they are."""

    media_type = "application/json"


def encoded_json(answer: bytes | HistoryChunks) -> Response:
    """The answer of the core, sent piece by piece if it comes in pieces."""
    if isinstance(answer, bytes):
        return EncodedJson(answer)
    return StreamingResponse(_each(answer), media_type="application/json")


async def _each(chunks: HistoryChunks) -> AsyncIterator[bytes]:
    # Asynchronous, because the framework would run a plain iterator in a thread.
    for chunk in chunks:
        yield chunk
