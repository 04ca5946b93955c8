"""The service on port 3000 as the official conformance suites of Engine.IO and Socket.IO expect it.

The real path: uvicorn, the hand-off, the core. Started with ``python tests/scripts/conformance_server.py``; the suites
are ``docs/engine.io-protocol/v4-test-suite`` and ``docs/socket.io-protocol/v5-test-suite`` of the repository of
Socket.IO, each run with ``npm ci && npm test``.
"""

import os
import tempfile

import uvicorn

from chat_app.main import create_app

app = create_app(conformance=(0.3, 0.2))
# For what is not about the heartbeat: no client is dropped because the machine is busy.
calm_app = create_app(conformance=(25, 20))


def main() -> None:
    """Serve until a signal, on a database that vanishes."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/chat.db"
        # The suites say "localhost", which Node may take for either address.
        uvicorn.run(app, host="", port=3000, log_level="warning")


if __name__ == "__main__":
    main()
