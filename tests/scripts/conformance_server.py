"""The service on port 3000 as the official conformance suites of Engine.IO and Socket.IO expect it.

The real path: uvicorn, the hand-off, the core. Started with ``python tests/scripts/conformance_server.py [PORT]``; the
suites are ``docs/engine.io-protocol/v4-test-suite`` and ``docs/socket.io-protocol/v5-test-suite`` of the repository of
Socket.IO.
"""

import os
import sys
import tempfile

import uvicorn

from chat_app.application import ChatApplication


def main() -> None:
    """Serve until a signal."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/chat.db"
        uvicorn.run(ChatApplication(conformance=True), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
