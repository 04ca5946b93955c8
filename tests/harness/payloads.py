"""Generated JSON for the events, frames and bodies of the sibling systems."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from harness.siblings import UNKNOWN_ID

# The same examples each time: what is found must be found again.
bounded = settings(max_examples=60, derandomize=True, database=None, deadline=None)

KEYS = [
    *("meetingId", "userId", "name", "message", "text", "author", "roomId", "room", "content", "tempId"),
    *(
        "to",
        "targetSocketId",
        "targetUserId",
        "callerId",
        "callId",
        "callType",
        "reason",
        "from",
        "_placeholder",
        "num",
    ),
]


def values(*known: str) -> st.SearchStrategy[Any]:
    """JSON, in which names and ids that mean something are frequent."""
    text = st.one_of(st.sampled_from([*known, "", UNKNOWN_ID, "\0", "x" * 6_000]), st.text(max_size=20))
    leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), text)
    keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=5))
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=12
    )


def objects(*known: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the keys that clients use."""
    return st.dictionaries(st.sampled_from(KEYS), values(*known), max_size=6)
