"""Clients in JavaScript: scripts under Node, which print what they have seen as one JSON object."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.chat import Chat


@dataclass(frozen=True)
class Node:
    """Node, with the packages of the clients and the folder of the scripts."""

    packages: Path
    scripts: Path

    def run(self, chat: Chat, script: str, **settings: Any) -> dict[str, Any]:
        """Run a script against a server and give what it has seen."""
        every = {"packages": str(self.packages), "url": chat.server.base_url, **settings}
        command = ["node", str(self.scripts / script), json.dumps(every)]
        # The certificate of the tests is nobody's.
        environment = os.environ if chat.context is None else {**os.environ, "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert isinstance(seen, dict)
        return seen
