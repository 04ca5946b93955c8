"""The official clients, in JavaScript and Python, over every order of transports."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from harness.chat import Chat
from harness.engine import scenario
from harness.listening import SocketIoClient

TRANSPORTS = ["websocket", "polling", "polling,websocket"]


@pytest.mark.parametrize("transports", [*TRANSPORTS, "websocket,polling"])
def test_the_javascript_client(suite_server: Chat, repository: Path, transports: str) -> None:
    script = repository / "tests" / "scripts" / "socket_io_client.mjs"
    command = ["node", str(script), str(repository / "target" / "clients"), suite_server.server.base_url, transports]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "auth": {"token": "123"},
        "transport": "polling" if transports == "polling" else "websocket",
        "back": [1, "2", {"3": [True]}],
        "binary": [[1, 2, 3], [4]],
        "acknowledged": "año",
        "answered": ["why: because"],
        "said": ["room", "hello"],
        "refused": "Invalid namespace",
        "left": "io server disconnect",
        "distinct": 3,
    }


class Heard:
    """A Python client and what it hears."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self._events: asyncio.Queue[tuple[str, str, tuple[Any, ...]]] = asyncio.Queue()
        client.on("*", self._note, namespace="*")

    async def _note(self, event: str, namespace: str, *args: Any) -> Any:
        if event == "question":
            return f"{args[0]}: because"
        await self._events.put((event, namespace, args))
        return None

    async def next(self) -> tuple[str, str, tuple[Any, ...]]:
        return await asyncio.wait_for(self._events.get(), 10)


@asynccontextmanager
async def joined(chat: Chat, transports: str, *namespaces: str) -> AsyncIterator[Heard]:
    connector = None if chat.context is None else aiohttp.TCPConnector(ssl=chat.context)
    async with aiohttp.ClientSession(connector=connector) as session:
        client = SocketIoClient(reconnection=False, http_session=session)
        heard = Heard(client)
        await client.connect(
            chat.server.base_url,
            auth={"token": "123"},
            transports=transports.split(","),
            namespaces=list(namespaces),
            wait_timeout=10,
        )
        try:
            for _ in namespaces:
                event, _namespace, args = await heard.next()
                assert (event, args) == ("auth", ({"token": "123"},))
            yield heard
        finally:
            await client.disconnect()


@pytest.mark.parametrize("transports", TRANSPORTS)
@scenario
async def test_the_python_client(suite_server: Chat, transports: str) -> None:
    async with (
        joined(suite_server, transports, "/", "/custom") as one,
        joined(suite_server, transports, "/") as other,
    ):
        await one.client.emit("message", (1, "2", {"3": [True]}))
        assert await one.next() == ("message-back", "/", (1, "2", {"3": [True]}))
        await one.client.emit("message", b"\1\2\3", namespace="/custom")
        assert await one.next() == ("message-back", "/custom", (b"\1\2\3",))
        assert await one.client.call("message-with-ack", "año") == "año"
        await one.client.emit("ask", "why")
        assert await one.next() == ("answer", "/", ("why: because",))
        for member in (one, other):
            await member.client.emit("join", "room")
            assert await member.client.call("message-with-ack", "joined") == "joined"
        await one.client.emit("say", ("room", "hello"))
        assert await other.next() == ("said", "/", ("room", "hello"))
