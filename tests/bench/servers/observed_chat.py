"""The service with a watch on its event loop: how late a timer comes that is due every two milliseconds.

``GET /loop-delay`` gives the delays in milliseconds since the last time it was asked.
"""

import asyncio
import json
from typing import Any

from chat_app.main import app as service

PERIOD_SECONDS = 0.002
_delays: list[float] = []
_watch: list[asyncio.Task[None]] = []


async def _observe() -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + PERIOD_SECONDS
        await asyncio.sleep(PERIOD_SECONDS)
        _delays.append((clock() - due) * 1000)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The service, but for the one path."""
    if scope["type"] == "lifespan":
        _watch.append(asyncio.create_task(_observe()))
    if scope["type"] == "http" and scope["path"] == "/loop-delay":
        body = json.dumps(_delays).encode()
        _delays.clear()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        return
    await service(scope, receive, send)
