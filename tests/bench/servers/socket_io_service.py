"""The service with the namespaces of the conformance suites, which have rooms, and the heartbeat of the reference."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from conformance_server import calm_app as app  # noqa: F401
