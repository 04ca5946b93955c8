"""The JSON body of a request: bounded, and its parser's errors all reported alike."""

import json
from email.message import Message
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from chat_app.errors import CLIENT_GONE, ApiError

MAX_BODY_BYTES = 4 * 1024 * 1024
# What most clients send.
_JSON_TYPES = frozenset({"", "application/json", "application/json; charset=utf-8"})


class NoBody:
    """Stands for a body that is empty, or a bare ``null``."""


async def read_json(request: Request) -> Any:
    """The parsed body; its bytes if it says to be something else than JSON, and ``NoBody`` if there is none.

    Raises:
        HTTPException: 413, it is larger than ``MAX_BODY_BYTES``.
        RequestValidationError: it is no JSON, or nested or precise beyond what the parser takes.
        ApiError: the client has gone.
    """
    body = await _read(request)
    if not body or body.strip() == b"null":
        return NoBody
    if not _is_json(request.headers.get("content-type", "")):
        return body
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise _refusal(error.msg, error.pos) from error
    except (ValueError, RecursionError) as error:
        # Bytes that are no text, a number with thousands of digits, thousands of brackets.
        raise _refusal("Invalid value", 0) from error


async def _read(request: Request) -> bytes:
    pieces = []
    length = 0
    try:
        async for piece in request.stream():
            pieces.append(piece)
            length += len(piece)
            if length > MAX_BODY_BYTES:
                raise HTTPException(413, "Request body too large")
    except ClientDisconnect as error:
        raise ApiError(CLIENT_GONE) from error
    return b"".join(pieces)


def _is_json(content_type: str) -> bool:
    """Whether a content type says JSON; without one, JSON is meant."""
    if content_type in _JSON_TYPES:
        return True
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


def _refusal(reason: str, position: int) -> RequestValidationError:
    return RequestValidationError(
        [
            {
                "type": "json_invalid",
                "loc": ("body", position),
                "msg": "JSON decode error",
                "input": {},
                "ctx": {"error": reason},
            }
        ]
    )
