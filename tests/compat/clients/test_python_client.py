"""The official Python client against each system, over each order of transports."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from harness.chat import Chat
from harness.engine import scenario
from harness.flows import Place, calls, meetings, webrtc

FLOWS = {"meetings": meetings.run, "calls": calls.run, "webrtc": webrtc.run_without_sign_up}
TRANSPORTS = [("websocket",), ("polling",), ("polling", "websocket")]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="-".join)
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
@scenario
async def test_the_python_client(
    chat: Chat, flow: Callable[[Place, int], Awaitable[None]], transports: tuple[str, ...]
) -> None:
    async with httpx.AsyncClient(base_url=chat.server.base_url, timeout=30, trust_env=False) as http:
        await flow(Place(chat, http, transports), 1)
