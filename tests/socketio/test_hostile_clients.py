"""What no honest client does: the connection pays for it, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from harness.engine import Engine, scenario


@asynccontextmanager
async def healthy(socket_io: Engine) -> AsyncIterator[None]:
    """A client that lives through what happens meanwhile."""
    async with socket_io.opened() as socket:
        await socket.connect()
        ended = asyncio.Event()

        async def talk() -> None:
            while not ended.is_set():
                await socket.send('42["message","well"]')
                await socket.expect('42["message-back","well"]')
                await asyncio.sleep(0.05)

        talking = asyncio.create_task(talk())
        try:
            yield
        finally:
            ended.set()
            await talking


@scenario
async def test_attachments_that_never_come(socket_io: Engine) -> None:
    async with healthy(socket_io), socket_io.opened() as socket:
        await socket.connect()
        await socket.send('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"one")
        assert await socket.closed() == 1000


@scenario
async def test_attachments_above_the_limit_together(socket_io: Engine) -> None:
    async with healthy(socket_io), socket_io.opened() as socket:
        await socket.connect()
        await socket.send('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
        await socket.send(b"x" * 600_000, b"x" * 600_000)
        assert await socket.closed() == 1000


@pytest.mark.parametrize("packet", ['42["message"]', '451-["message",{"_placeholder":true,"num":0}]'])
@scenario
async def test_another_packet_where_an_attachment_is_due(socket_io: Engine, packet: str) -> None:
    async with healthy(socket_io), socket_io.opened() as socket:
        await socket.connect()
        await socket.send('451-["message",{"_placeholder":true,"num":0}]', packet)
        assert await socket.closed() == 1000


@scenario
async def test_an_attachment_nobody_announced(socket_io: Engine) -> None:
    async with healthy(socket_io), socket_io.opened() as socket:
        await socket.connect()
        await socket.send(b"surprise")
        assert await socket.closed() == 1000


@scenario
async def test_json_without_bottom(socket_io: Engine) -> None:
    async with healthy(socket_io), socket_io.opened() as socket:
        await socket.connect()
        await socket.send('42["message",' + "[" * 100_000)
        assert await socket.closed() == 1000


@scenario
async def test_a_flood_of_wishes_for_namespaces(socket_io: Engine) -> None:
    async with healthy(socket_io), socket_io.opened() as socket:
        await socket.connect()
        for first in range(0, 2_000, 100):
            await socket.send(*(f"40/random{number}," for number in range(first, first + 100)))
            refused = (f'44/random{number},{{"message":"Invalid namespace"}}' for number in range(first, first + 100))
            await socket.expect(*refused)


@scenario
async def test_a_reader_that_never_reads_is_dropped(socket_io: Engine) -> None:
    async with healthy(socket_io), socket_io.polling() as slow, socket_io.opened() as speaker:
        await speaker.connect()
        await slow.say("40")
        await slow.say('42["join","r"]\x1e42["message","joined"]')
        while "joined" not in await slow.next():
            pass
        content = "x" * 100_000
        # More than the mebibyte that may wait for one reader; it goes on answering pings but asks for nothing.
        for _ in range(15):
            await speaker.send(f'42["say","r","{content}"]')
        await speaker.send('42["message","end"]')
        await speaker.expect('42["message-back","end"]')
        assert (await slow.get()).status_code in {200, 400}
        await slow.gone()


@scenario
async def test_many_packets_in_one_body(socket_io: Engine) -> None:
    async with healthy(socket_io), socket_io.polling() as session:
        answer = await session.post("\x1e".join("3" for _ in range(100_000)))
        assert answer.status_code == 400
        async with socket_io.polling() as other:
            await other.say("40")
            await other.say("\x1e".join(f'42["message",{number}]' for number in range(5_000)))
            heard: list[str] = []
            while f'42["message-back",{4_999}]' not in heard:
                heard += (await other.next()).split("\x1e")


@scenario
async def test_upgrades_at_once(socket_io: Engine) -> None:
    async with healthy(socket_io), socket_io.polling() as session:

        async def upgrade() -> int:
            async with socket_io.websocket(session.upgrade_query) as socket:
                return await socket.closed(answering=False)

        await session.say("40")
        tries = [asyncio.create_task(upgrade()) for _ in range(10)]
        ended: list[int] = []
        # One of them is on trial, for as long as a client may take.
        for tried in asyncio.as_completed(tries, timeout=10):
            ended.append(await tried)
            if len(ended) == 9:
                break
        assert set(ended) == {1000}
        for tried in tries:
            tried.cancel()
        await asyncio.gather(*tries, return_exceptions=True)
