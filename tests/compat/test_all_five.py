"""The clients of all five systems at the same time against one server, each through the flow of its own document."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from harness.chat import Chat
from harness.engine import scenario
from harness.flows import Place, calls, izpo, meetings, webrtc, ws_hub
from harness.pool import ServerPool, lend
from harness.siblings import SETTINGS

ROUNDS = 5
FLOWS = (izpo, meetings, calls, ws_hub, webrtc)


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Chat]:
    """A service for these flows alone, because who is online in ws-hub everybody there knows."""
    yield from lend(shared_servers, request.param, purpose="all five", settings=SETTINGS)


@scenario
async def test_all_five_at_once(server: Chat) -> None:
    # Three systems hash passwords, on threads that give way to everything else on the machine.
    async with httpx.AsyncClient(base_url=server.server.base_url, timeout=100, trust_env=False) as http:
        transports = ("polling", "websocket")
        async with asyncio.TaskGroup() as group:
            for flow in FLOWS:
                group.create_task(flow.run(Place(server, http, transports), ROUNDS))
    assert (await asyncio.to_thread(server.get, "/health")).status_code == 200
