"""Replays the recorded exchanges of the original service, and of its recommended corrections, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from harness.chat import Chat
from harness.pool import ServerPool, lend
from harness.transcripts import Replay, load_cases

CASES = load_cases()


@pytest.fixture(params=["sqlite", "postgres"])
def chat(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Chat]:
    """A server of their own: the recordings look for their rows in lists of limited length."""
    yield from lend(shared_servers, request.param, purpose="transcripts")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_transcript(chat: Chat, case: dict[str, Any]) -> None:
    Replay(chat).run(case)
