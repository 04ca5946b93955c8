"""Engine.IO protocol 4: the ground of the official suite, and what it leaves open."""

import asyncio
import json
import time

import httpx
import pytest
from harness.engine import Engine, scenario

OPEN_KEYS = ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]
ERRORS = {
    0: "Transport unknown",
    1: "Session ID unknown",
    2: "Bad handshake method",
    3: "Bad request",
    5: "Unsupported protocol version",
}


def check_open(packet: str, upgrades: list[str]) -> None:
    assert packet.startswith("0")
    content = json.loads(packet[1:])
    assert list(content) == OPEN_KEYS
    sid = content.pop("sid")
    assert isinstance(sid, str)
    assert len(sid) == 20
    assert content == {"upgrades": upgrades, "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}


def check_error(answer: httpx.Response, code: int) -> None:
    assert (answer.status_code, answer.json()) == (400, {"code": code, "message": ERRORS[code]})


@scenario
async def test_a_session_opens_over_polling(hasty_engine: Engine) -> None:
    async with hasty_engine.client() as client:
        answer = await client.get(hasty_engine.url("EIO=4&transport=polling"))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        check_open(answer.text, ["websocket"])


@scenario
async def test_a_session_opens_over_websocket(hasty_engine: Engine) -> None:
    async with hasty_engine.websocket() as socket:
        packet = await socket.receive()
        assert isinstance(packet, str)
        check_open(packet, [])


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "transport=polling", 5),
        ("GET", "EIO=abc&transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=abc", 0),
        ("GET", "EIO=4&transport=websocket", 3),
        ("POST", "EIO=4&transport=polling", 2),
        ("PUT", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=polling&sid=unknown", 1),
        ("POST", "EIO=4&transport=polling&sid=unknown", 1),
    ],
)
@scenario
async def test_requests_are_refused_as_by_the_reference(engine: Engine, method: str, query: str, code: int) -> None:
    async with engine.client() as client:
        check_error(await client.request(method, engine.url(query)), code)


@pytest.mark.parametrize(
    "query", ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"]
)
@scenario
async def test_websockets_are_refused_as_by_the_reference(engine: Engine, query: str) -> None:
    # Through ASGI there is no other answer than 403.
    expected = 400 if engine.context is None else 403
    assert await engine.refused_websocket(query) == expected
    assert await engine.refused_websocket("EIO=4&transport=websocket&sid=unknown") == expected


@pytest.mark.parametrize("body", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA==", "4año 😀"])
@scenario
async def test_packets_come_back_over_polling(engine: Engine, body: str) -> None:
    async with engine.polling() as session:
        await session.say(body)
        received = await session.next()
        while received != body:
            received += "\x1e" + await session.next()


@scenario
async def test_packets_come_back_over_websocket(engine: Engine) -> None:
    async with engine.opened() as socket:
        await socket.send("4hello", bytes([1, 2, 3, 4]))
        await socket.expect("4hello", bytes([1, 2, 3, 4]))


@pytest.mark.parametrize("body", ["abc", "", "4a\x1e", "b=", "2", b"\xff"])
@scenario
async def test_what_is_no_packet_ends_a_session_that_polls(engine: Engine, body: str | bytes) -> None:
    async with engine.polling() as session:
        answer = await session.post(body)
        # A ping from a client is well formed, but wrong in this version.
        assert answer.status_code == (200 if body == "2" else 400)
        while (answer := await session.get()).status_code == 200:
            assert answer.text in {"1", "2", "2\x1e1"}
        check_error(answer, 1)


@pytest.mark.parametrize("message", ["abc", "", "2", "bAQ=="])
@scenario
async def test_what_is_no_packet_ends_a_websocket(engine: Engine, message: str) -> None:
    async with engine.opened() as socket:
        await socket.send(message)
        assert await socket.closed() == 1000


@scenario
async def test_a_second_get_ends_the_session(engine: Engine) -> None:
    async with engine.polling() as session:
        first = asyncio.create_task(session.get())
        await asyncio.sleep(0.05)
        second = await session.get()
        check_error(second, 3)
        assert (await first).text in {"1", "2\x1e1"}
        await session.gone()


@scenario
async def test_a_get_that_is_given_up_ends_the_session(engine: Engine) -> None:
    async with engine.polling() as session:
        async with engine.client() as other:
            # Connected before: a request that is cancelled while it connects leaves its socket open.
            check_error(await other.get(engine.url("EIO=4")), 0)
            abandoned = asyncio.create_task(other.get(session.url))
            await asyncio.sleep(0.05)
            abandoned.cancel()
            with pytest.raises(asyncio.CancelledError):
                await abandoned
        assert (await session.get()).status_code == 400
        await session.gone()


@scenario
async def test_the_server_asks_over_polling(hasty_engine: Engine) -> None:
    async with hasty_engine.polling() as session:
        for _ in range(3):
            answer = await session.get()
            assert (answer.status_code, answer.text) == (200, "2")
            await session.say("3")


@scenario
async def test_the_server_asks_over_websocket(hasty_engine: Engine) -> None:
    async with hasty_engine.opened() as socket:
        for _ in range(3):
            assert await socket.receive() == "2"
            await socket.send("3")


@scenario
async def test_who_does_not_answer_is_dropped(hasty_engine: Engine) -> None:
    async with hasty_engine.polling() as session, hasty_engine.opened() as socket:
        started = time.monotonic()
        assert await socket.closed(answering=False) == 1011
        assert 0.3 < time.monotonic() - started < 5
        while (answer := await session.get()).status_code == 200:
            assert answer.text in {"1", "2", "2\x1e1"}
        check_error(answer, 1)


@scenario
async def test_a_client_ends_its_session(engine: Engine) -> None:
    async with engine.polling() as session, engine.opened() as socket:
        waiting = asyncio.create_task(session.get())
        await asyncio.sleep(0.05)
        await session.say("1")
        assert (await waiting).text == "6"
        await session.gone()
        await socket.send("1")
        assert await socket.closed() == 1000


@scenario
async def test_polling_upgrades_to_websocket(engine: Engine) -> None:
    async with engine.polling() as session, engine.websocket(session.upgrade_query) as socket:
        await socket.send("2probe")
        await socket.expect("3probe")
        assert (await session.get()).text == "6"
        await session.say("4said while it polls")
        await socket.send("5")
        await socket.send("4hello")
        await socket.expect("4said while it polls", "4hello")


@scenario
async def test_a_get_that_waits_is_released_for_an_upgrade(engine: Engine) -> None:
    async with engine.polling() as session, engine.websocket(session.upgrade_query) as socket:
        waiting = asyncio.create_task(session.get())
        await asyncio.sleep(0.05)
        await socket.send("2probe")
        await socket.expect("3probe")
        assert (await waiting).text == "6"
        await socket.send("5", "4hello")
        await socket.expect("4hello")


@scenario
async def test_after_an_upgrade_nothing_else_is_served(engine: Engine) -> None:
    async with engine.polling() as session, engine.websocket(session.upgrade_query) as socket:
        await socket.send("2probe", "5")
        check_error(await session.get(), 3)
        check_error(await session.post("4hello"), 3)
        async with engine.websocket(session.upgrade_query) as second:
            assert await second.closed() == 1000
        await socket.send("4hello")
        await socket.expect("3probe", "4hello")


@scenario
async def test_an_upgrade_that_goes_wrong_leaves_the_session_polling(engine: Engine) -> None:
    async with engine.polling() as session:
        async with engine.websocket(session.upgrade_query) as socket:
            await socket.send("4no probe")
            assert await socket.closed() == 1000
        async with engine.websocket(session.upgrade_query) as socket:
            await socket.send("2probe")
            await socket.expect("3probe")
        await session.say("4hello")
        while (received := await session.next()) == "6":
            pass
        assert received == "4hello"


@scenario
async def test_a_body_above_the_limit_is_refused_and_the_session_lives(engine: Engine) -> None:
    async with engine.polling() as session:
        assert (await session.post("4" + "x" * 1_000_000)).status_code == 413
        await session.say("4" + "x" * 999_999)
        assert await session.next() == "4" + "x" * 999_999


@scenario
async def test_a_message_above_the_limit_ends_a_websocket(engine: Engine) -> None:
    async with engine.opened() as socket:
        await socket.send("4" + "x" * 999_999)
        await socket.expect("4" + "x" * 999_999)
        if engine.context is None:
            await socket.send("4" + "x" * 1_000_000)
            assert await socket.closed() == 1009
