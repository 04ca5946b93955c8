"""Replays the recorded exchanges of the original service, and of its recommended corrections, on both databases.

Storing uploads is not served yet, so of the section ``uploads`` only the cases run that need no store.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from harness.chat import Chat
from harness.pool import ServerPool, lend
from harness.transcripts import Replay, load_cases

WITHOUT_STORE = frozenset({"uploads-unauthenticated", "uploads-types"})
CASES = [case for case in load_cases() if case["section"] != "uploads" or case["id"] in WITHOUT_STORE]


@pytest.fixture(params=["sqlite", "postgres"])
def chat(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Chat]:
    """A server of their own: the recordings look for their rows in lists of limited length."""
    yield from lend(shared_servers, request.param, purpose="transcripts")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_transcript(chat: Chat, case: dict[str, Any]) -> None:
    Replay(chat).run(case)
