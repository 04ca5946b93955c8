"""The package ws, the WebSocket client of Node, in both dialects."""

import json
from typing import Any

import pytest
from harness.node import Node

REFUSAL = "Authentication failed"


@pytest.mark.parametrize("dialect", [["AUTHENTICATE", "AUTHENTICATED"], ["AUTH", "AUTH_SUCCESS"]], ids="-".join)
def test_a_conversation(live: Any, node: Node, dialect: list[str]) -> None:
    watcher = live.enter(live.account("watcher"))
    tokens = {name: live.account(name).token for name in ("ana", "beto")}
    seen = node.run(live.chat, "ws_hub.mjs", dialect=dialect, tokens=tokens)
    people = seen.pop("people")
    assert seen == {
        "refusal": REFUSAL,
        "refusedWith": 1008,
        "together": True,
        "typing": True,
        "said": ["año 😀", "t-1"],
        "history": ["año 😀"],
        "error": "Unknown event type",
        "pong": "?",
        "closedWith": 1000,
    }
    heard = [json.loads(watcher.receive_text()) for _ in range(4)]
    assert [frame["payload"]["userId"] for frame in heard] == [*people, *people]
    assert [frame["type"] for frame in heard] == ["USER_ONLINE"] * 2 + ["USER_OFFLINE"] * 2
    watcher.expect_nothing()
