"""Routes of the chat, and answers that the core has encoded already."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from chat_app._native import HistoryChunks
from chat_app.parameters import Parameters
from chat_app.single_write import send_at_once


class JsonBytes(Response):
    """An answer that is JSON already."""

    media_type = "application/json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send_at_once(super().__call__, scope, receive, send)


def json_response(answer: bytes | HistoryChunks) -> Response:
    """The answer of the core, sent piece by piece if it comes in pieces."""
    if isinstance(answer, bytes):
        return JsonBytes(answer)
    return StreamingResponse(_each(answer), media_type="application/json")


def model_response(answer: BaseModel) -> JsonBytes:
    """An answer that is made here."""
    return JsonBytes(answer.model_dump_json().encode())


async def _each(chunks: HistoryChunks) -> AsyncIterator[bytes]:
    # Asynchronous, because the framework would run a plain iterator in a thread.
    for chunk in chunks:
        yield chunk


class JsonRoute(APIRoute):
    """A route that the framework finds and describes, and whose parameters are read by ``Parameters``.

    Its endpoint gives the response itself; exceptions reach the handlers of the application.
    """

    def __init__(self, path: str, endpoint: Callable[..., Awaitable[Response]], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        parameters = Parameters(endpoint, self.param_convertors)

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(**await parameters.read(Request(scope, receive)))
            await response(scope, receive, send)

        self.app = serve
