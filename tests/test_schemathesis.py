"""Generated requests against the OpenAPI document: no server error, answers as documented."""

import sys
from pathlib import Path

from harness.chat import Chat
from harness.processes import run_command

CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance"
EXAMPLES = "25"
# A generated change of one's own name or activity ends the token of all other requests, so it runs alone, last.
PROFILE = "PUT /api/users/me"


def explore(chat: Chat, folder: Path, *selection: str) -> None:
    """Run the tool as a new user with a room."""
    ana = chat.user()
    chat.say(chat.room(ana), ana, "x")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{chat.server.base_url}/openapi.json",
        "--header",
        f"Authorization: Bearer {ana.token}",
        "--checks",
        CHECKS,
        "--max-examples",
        EXAMPLES,
        "--phases",
        "examples,coverage,fuzzing",
        "--generation-deterministic",
        "--no-color",
        *selection,
    ]
    done = run_command(command, folder, {}, 240)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_generated_requests(chat: Chat, tmp_path: Path) -> None:
    explore(chat, tmp_path, "--exclude-name", PROFILE)
    explore(chat, tmp_path, "--include-name", PROFILE)
