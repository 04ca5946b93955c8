"""The service on port 3000 as the official conformance suites of Engine.IO and Socket.IO expect it.

The real path: uvicorn, the hand-off, the core. Started with ``python tests/scripts/conformance_server.py``; the suites
are ``docs/engine.io-protocol/v4-test-suite`` and ``docs/socket.io-protocol/v5-test-suite`` of the repository of
Socket.IO, each run with ``npm ci && npm test``.
"""

import os
import tempfile
from functools import partial

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from chat_app._native import Core
from chat_app.compat.socket_io import SocketIo
from chat_app.main import create_app
from chat_app.serve.lifespan import ServiceLifespan


def create_suite_app(ping_interval: float, ping_timeout: float) -> FastAPI:
    """The application whose core serves the suites, with pings in this rhythm, in seconds."""
    app = create_app()
    start = partial(Core.start_for_conformance_suites, ping_interval=ping_interval, ping_timeout=ping_timeout)
    app.router.lifespan_context = ServiceLifespan(start=start)

    async def engine_io(scope: Scope, receive: Receive, send: Send) -> None:
        # Where it is mounted is a part of the path that the core knows.
        await SocketIo(app.state.core)({**scope, "root_path": ""}, receive, send)

    app.mount("/engine.io", engine_io)
    return app


app = create_suite_app(0.3, 0.2)
# For what is not about the heartbeat: no client is dropped because the machine is busy.
calm_app = create_suite_app(25, 20)


def main() -> None:
    """Serve until a signal, on a database that vanishes."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/chat.db"
        # The suites say "localhost", which Node may take for either address.
        uvicorn.run(app, host="", port=3000, log_level="warning")


if __name__ == "__main__":
    main()
