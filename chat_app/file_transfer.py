"""Files between HTTP and the core: request bodies go in piece by piece, contents come out piece by piece.

Nothing here holds more than a piece, and nobody waits for ever for a client that has stopped.
"""

import asyncio
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import TypedDict

from fastapi import HTTPException, Request
from fastapi.responses import Response, StreamingResponse
from starlette.requests import ClientDisconnect

from chat_app._native import ChatError, Download, Upload
from chat_app.serve.upload_body import take_rest

# Without a byte from the client.
_IDLE_SECONDS = 60.0
# Well below the time after which the core counts an unfinished object as left over.
_WHOLE_SECONDS = 3600.0

_STATUS = {"whole": 200, "part": 206, "not_modified": 304, "unsatisfiable": 416}


class Conditions(TypedDict):
    """The headers that decide what of a file is sent."""

    if_none_match: str | None
    if_modified_since: str | None
    if_range: str | None
    byte_range: str | None


async def receive_form(upload: Upload, request: Request) -> tuple[list[bytes], list[tuple[str, ChatError]]]:
    """Feed the body of the request to the upload, at the pace of the store, and give the outcome.

    Raises:
        ChatError: see ``Upload.finish``.
        HTTPException: the client has stopped sending, or has gone.
    """
    try:
        rest = take_rest(request)
        if rest is not None:
            start, descriptor, length = rest
            taken = upload.feed(start)
            if not isinstance(taken, bool):
                await taken
            return await upload.finish_from_socket(descriptor, length)
        async with asyncio.timeout(_WHOLE_SECONDS):
            await _feed(upload, request)
        return await upload.finish()
    except TimeoutError as error:
        raise HTTPException(408, "Request Timeout") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "Client Closed Request") from error
    finally:
        upload.abort()


async def _feed(upload: Upload, request: Request) -> None:
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(_IDLE_SECONDS) as idle:
        async for chunk in request.stream():
            goes_on = upload.feed(chunk)
            if not isinstance(goes_on, bool):
                # The store is slow, not the client.
                idle.reschedule(None)
                goes_on = await goes_on
            if not goes_on:
                return
            idle.reschedule(clock() + _IDLE_SECONDS)


def conditions(request: Request) -> Conditions:
    """What the request says about the parts and versions it wants."""
    headers = request.headers
    return {
        "if_none_match": headers.get("if-none-match"),
        "if_modified_since": headers.get("if-modified-since"),
        "if_range": headers.get("if-range"),
        "byte_range": headers.get("range"),
    }


def download_response(download: Download, *, cache: str) -> Response:
    """The answer to a download, with the value of ``Cache-Control``."""
    headers = {
        "ETag": download.etag,
        "Last-Modified": formatdate(download.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": cache,
        # No browser may guess a type that runs scripts.
        "X-Content-Type-Options": "nosniff",
    }
    if download.content_range is not None:
        headers["Content-Range"] = download.content_range
    status = _STATUS[download.outcome]
    if status in {304, 416}:
        return Response(status_code=status, headers=headers)
    headers["Content-Disposition"] = download.disposition
    headers["Content-Length"] = str(download.length)
    if not download.is_inline:
        headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return StreamingResponse(_chunks(download), status, headers, media_type=download.content_type)


async def _chunks(download: Download) -> AsyncIterator[bytes]:
    while (chunk := await download.next_chunk()) is not None:
        yield chunk
