"""Raw clients of the systems behind Socket.IO: what no client library would send."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness.chat import Chat
from harness.engine import Engine, EngineSocket
from harness.siblings import Sibling

PLACE = '{"_placeholder":true,"num":0}'
EVENTS = {"meetings": "join-meeting", "calls": "x", "webrtc": "join-room"}


@dataclass(frozen=True)
class Face:
    """A system, and somebody who may enter it."""

    sibling: Sibling
    namespace: str
    token: str

    @property
    def chat(self) -> Chat:
        """The service."""
        return self.sibling.chat

    @property
    def event(self) -> str:
        """An event of its clients."""
        return EVENTS[self.sibling.system]

    @property
    def prefix(self) -> str:
        """What stands before the data of a packet."""
        return "" if self.namespace == "/" else f"{self.namespace},"

    def spell(self, packet: str) -> str:
        """A packet in which ``NS,``, ``EVENT`` and ``PLACE`` stand for its namespace, its event and an attachment."""
        return packet.replace("NS,", self.prefix).replace("EVENT", self.event).replace("PLACE", PLACE)

    @asynccontextmanager
    async def joined(self, token: str | None = None) -> AsyncIterator[EngineSocket]:
        """A connection that is in the namespace."""
        async with Engine(self.chat, "/socket.io/").opened() as socket:
            await socket.send(f"40{self.prefix}{json.dumps({'token': token or self.token})}")
            answer = await socket.next()
            assert isinstance(answer, str)
            assert answer.startswith(f'40{self.prefix}{{"sid":'), answer
            yield socket


async def settled(socket: EngineSocket) -> list[str]:
    """What is heard until everything said before has been handled."""
    await socket.send("40/marker,")
    heard: list[str] = []
    while (message := await socket.next()) != '44/marker,{"message":"Invalid namespace"}':
        assert isinstance(message, str)
        heard.append(message)
    return heard
