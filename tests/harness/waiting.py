"""Waiting for conditions with a deadline, so that no test sleeps and hopes."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], Value], what: str, seconds: float = 10.0) -> Value:
    """Call ``condition`` until it gives something true.

    Args:
        condition: the question; its first true answer is returned.
        what: named in the failure.
        seconds: the deadline.

    Returns:
        The first true answer.

    Raises:
        AssertionError: the deadline passed.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; last answer: {answer!r}")
        time.sleep(POLL_SECONDS)
