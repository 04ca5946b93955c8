"""The service below another application, which runs no lifespan of it: everything works, with the prefix."""

import asyncio

import httpx
import pytest
from harness.chat import Chat
from harness.engine import scenario
from harness.flows import Place, calls, izpo, meetings, webrtc, ws_hub
from harness.pool import ServerPool
from harness.processes import uvicorn_command
from harness.siblings import SETTINGS
from harness.walk import assert_chat_works

PREFIX = "/chat"


@pytest.fixture
def mounted(servers: ServerPool) -> Chat:
    """The running parent, seen from below the prefix."""
    chat = servers.prepare(
        "sqlite", command=uvicorn_command(application="mounted:app"), prefix=PREFIX, settings=SETTINGS
    )
    chat.server.start()
    return chat


def test_chat_and_files(mounted: Chat) -> None:
    assert_chat_works(mounted)
    ana = mounted.user()
    answer = mounted.post("/api/uploads/", ana, files={"file": ("a.txt", b"hola", "text/plain")})
    public_url = answer.json()["public_url"]
    assert public_url.startswith(f"{mounted.server.base_url}/api/uploads/files/")
    assert httpx.get(public_url, trust_env=False).content == b"hola"
    assert "/api/rooms/" in mounted.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("transports", [("polling",), ("polling", "websocket"), ("websocket",)], ids="-".join)
@scenario
async def test_clients_of_all_systems(mounted: Chat, transports: tuple[str, ...]) -> None:
    async with httpx.AsyncClient(base_url=mounted.server.base_url, timeout=100, trust_env=False) as http:
        place = Place(mounted, http, transports)
        async with asyncio.TaskGroup() as group:
            for flow in (izpo, meetings, calls, ws_hub, webrtc):
                group.create_task(flow.run(place, 1))


def test_the_end(mounted: Chat) -> None:
    ana = mounted.user()
    socket = mounted.connect(mounted.room(ana), ana)
    assert mounted.server.stop() < 10
    assert socket.expect_closed()[0] == 1012
    # Nothing that the core holds is left behind.
    mounted.server.start()
    assert mounted.get("/api/users/me", ana).status_code == 200
