"""How JSON comes in and goes out: bounded bodies, errors of the parser, and answers the core already encoded.

``JsonRoute`` is the route class of every router here. A body is read up to ``MAX_BODY_BYTES`` before anything else is
looked at, because malformed JSON is reported even to callers without a token.
"""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from chat_app._native import HistoryChunks

MAX_BODY_BYTES = 4 * 1024 * 1024


class JsonBytes(Response):
    """An answer that is JSON already."""

    media_type = "application/json"


def json_response(answer: bytes | HistoryChunks) -> Response:
    """The answer of the core, sent piece by piece if it comes in pieces."""
    if isinstance(answer, bytes):
        return JsonBytes(answer)
    return StreamingResponse(_each(answer), media_type="application/json")


async def _each(chunks: HistoryChunks) -> AsyncIterator[bytes]:
    # Asynchronous, because the framework would run a plain iterator in a thread.
    for chunk in chunks:
        yield chunk


class JsonRequest(Request):
    """A request whose body is bounded and whose parser errors all look like JSON errors."""

    async def body(self) -> bytes:
        """The body; a bare ``null`` counts as none.

        Raises:
            HTTPException: 413, it is larger than ``MAX_BODY_BYTES``.
        """
        if not hasattr(self, "_body"):
            body = bytearray()
            async for chunk in self.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, "Request body too large")
            self._body = b"" if body.strip() == b"null" else bytes(body)
        return self._body

    async def json(self) -> Any:
        """The parsed body.

        Raises:
            json.JSONDecodeError: it is no JSON, or nested or precise beyond what the parser takes.
        """
        if not hasattr(self, "_json"):
            body = await self.body()
            try:
                self._json = json.loads(body)
            except json.JSONDecodeError:
                raise
            except (ValueError, RecursionError) as error:
                # Bytes that are no text, a number with thousands of digits, thousands of brackets.
                raise json.JSONDecodeError("Invalid value", "", 0) from error
        return self._json


class JsonRoute(APIRoute):
    """A route that hands ``JsonRequest`` to its endpoint, and takes JSON also where no content type says so.

    Endpoints look the caller up while they do their work. Parameters that are not valid keep them from it, but they
    are only reported to a caller who exists.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "strict_content_type": False})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the framework behind our request class."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            try:
                return await handle(JsonRequest(request.scope, request.receive))
            except RequestValidationError:
                caller = getattr(request.state, "caller", None)
                if caller is not None:
                    await caller.authenticate()
                raise

        return handle_json
