"""What docs/asyncapi.json says of the frames of a room's socket."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

DOCUMENT = Path(__file__).parents[2] / "docs" / "asyncapi.json"
# Both addresses of the channel, below whatever prefix the deployment has.
ROOM = re.compile(r"/ws/[^/]+/?$")
DEFAULT_TYPE = "message"


def is_room(url: str) -> bool:
    """Whether a socket at this URL is a room's."""
    path = urlsplit(url).path
    return "/compat/" not in path and ROOM.search(path) is not None


def check_server_frame(data: str | bytes) -> None:
    """Fail if the document does not know the frame, or a key of it."""
    frame = json.loads(data)
    validator = _validator("server", frame["type"])
    assert validator is not None, f"docs/asyncapi.json has no server frame like {frame}"
    errors = [error.message for error in validator.iter_errors(frame)]
    assert not errors, f"docs/asyncapi.json does not allow {frame}: {errors}"


def is_client_frame(text: str) -> bool:
    """Whether the document allows a client to send that."""
    try:
        frame = json.loads(text)
    except ValueError:
        return False
    if not isinstance(frame, dict):
        return False
    kind = frame.setdefault("type", DEFAULT_TYPE)
    validator = _validator("client", kind) if isinstance(kind, str) else None
    return validator is not None and validator.is_valid(frame)


@cache
def _validator(direction: str, kind: str) -> Draft202012Validator | None:
    components = json.loads(DOCUMENT.read_text())["components"]
    name = f"{direction}_{kind}"
    if name not in components["messages"]:
        return None
    if direction == "server":
        # Clients must be ready for more keys; here each of them has to be in the document.
        _close(components)
    reference = f"#/components/messages/{name}/payload"
    return Draft202012Validator({"$ref": reference, "components": components})


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            schema["additionalProperties"] = False
        for part in schema.values():
            _close(part)
    elif isinstance(schema, list):
        for part in schema:
            _close(part)
