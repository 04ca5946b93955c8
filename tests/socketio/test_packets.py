"""Socket.IO protocol 5: the ground of the official suite, and what it leaves open."""

import asyncio
import json

import pytest
from harness.engine import Engine, scenario


@pytest.mark.parametrize("namespace", ["", "/custom"])
@pytest.mark.parametrize("auth", ["", '{"token":"123"}'])
@scenario
async def test_a_client_joins_a_namespace(socket_io: Engine, namespace: str, auth: str) -> None:
    async with socket_io.opened() as socket:
        sid = await socket.connect(namespace, auth)
        assert len(sid) == 20


@scenario
async def test_every_namespace_has_an_id_of_its_own(socket_io: Engine) -> None:
    async with socket_io.websocket() as socket:
        handshake = await socket.receive()
        assert isinstance(handshake, str)
        ids = {json.loads(handshake[1:])["sid"], await socket.connect(), await socket.connect("/custom")}
        assert len(ids) == 3


@pytest.mark.parametrize("namespace", ["/random", "/custom/more", "/ñ", "/custom//", "/custom?x=1"])
@scenario
async def test_an_unknown_namespace_is_refused_and_the_others_live(socket_io: Engine, namespace: str) -> None:
    async with socket_io.opened() as socket:
        await socket.connect()
        await socket.send(f"40{namespace},")
        await socket.expect(f'44{namespace},{{"message":"Invalid namespace"}}')
        await socket.send('42["message","on we go"]')
        await socket.expect('42["message-back","on we go"]')


@scenario
async def test_a_slash_at_the_end_is_the_same_namespace_under_the_name_the_client_uses(socket_io: Engine) -> None:
    async with socket_io.opened() as socket, socket_io.opened() as other:
        await socket.connect("/custom/")
        await other.connect("/custom")
        await socket.send('42/custom/,["message",1]')
        await socket.expect('42/custom/,["message-back",1]')
        for member, name in ((socket, "/custom/"), (other, "/custom")):
            await member.send(f'42{name},["join","r"]', f'42{name},["message","joined"]')
            await member.expect(f'42{name},["message-back","joined"]')
        await socket.send('42/custom/,["say","r","one"]', '42/custom/,["message","end"]')
        await other.expect('42/custom,["said","r","one"]')
        await socket.expect('42/custom/,["message-back","end"]')


@pytest.mark.parametrize(
    "packet",
    [
        "4abc",
        "4",
        "49",
        "40[]",
        '40"x"',
        "40{",
        "42",
        "42{}",
        "42[]",
        "42[null]",
        "42[{}]",
        '42["connect"]',
        '42["disconnect"]',
        '42abc["message-back",1]',
        '42["message"',
        '42/unknown,["message"]',
        "43[]",
        "430{}",
        "44",
        '45["x"]',
        '45-["x"]',
        '4511-["too many",{"_placeholder":true,"num":0}]',
        '451-["x",{"_placeholder":true,"num":1}]',
        '451-["x",{"_placeholder":true,"num":"0"}]',
        "461-0{}",
        "40",
    ],
)
@scenario
async def test_what_cannot_be_decoded_ends_the_connection(socket_io: Engine, packet: str) -> None:
    async with socket_io.opened() as socket, socket_io.opened() as bystander:
        await bystander.connect()
        await socket.connect()
        await socket.send(packet)
        if packet.startswith(("451", "461")):
            await socket.send(b"attachment")
        assert await socket.closed() == 1000
        await bystander.send('42["message"]')
        await bystander.expect('42["message-back"]')


@scenario
async def test_who_joins_no_namespace_is_dropped(socket_io: Engine) -> None:
    async with socket_io.opened() as silent, socket_io.opened() as refused:
        await refused.send("40/random")
        assert await asyncio.gather(silent.closed(), refused.closed()) == [1000, 1000]


@scenario
async def test_a_client_leaves_a_namespace_and_stays_in_the_other(socket_io: Engine) -> None:
    async with socket_io.opened() as socket:
        await socket.connect()
        await socket.connect("/custom")
        await socket.send("41/custom", '42["message","to the main one"]')
        await socket.expect('42["message-back","to the main one"]')
        await socket.connect("/custom")
        await socket.send("41/custom,", "41")
        # In no namespace any more, but connected: what is no packet is what ends it.
        await socket.send("4")
        assert await socket.closed() == 1000


@scenario
async def test_the_server_ends_a_socket(socket_io: Engine) -> None:
    async with socket_io.opened() as socket:
        await socket.connect()
        await socket.connect("/custom")
        await socket.send('42/custom,["join","r"]', '42/custom,["leave"]', '42/custom,["message","too late"]')
        await socket.expect("41/custom,")
        await socket.send('42["message","on we go"]')
        await socket.expect('42["message-back","on we go"]')
        await socket.connect("/custom")


DEEP = "[" * 5_000 + "]" * 5_000


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ('{"x":1e400}', '{"x":null}'),
        ('[-1E999,"1e400",0.5]', '[null,"1e400",0.5]'),
        ("9" * 400, "null"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ("1e-400", "0.0"),
        ('{"a":1,"a":2,"__proto__":3}', '{"__proto__":3,"a":2}'),
        (r'"\ud83d","\ude00\ud83d"', '"\ufffd","\ufffd\ufffd"'),
        (r'{"\ud800":"\u0000"}', '{"\ufffd":"\\u0000"}'),
        ("[" * 100 + "]" * 100, "[" * 100 + "]" * 100),
        (f'{DEEP},{{"x":{DEEP}}},7', "null,null,7"),
    ],
    ids=range(10),
)
@scenario
async def test_what_only_other_languages_read_ends_no_connection(socket_io: Engine, sent: str, back: str) -> None:
    async with socket_io.opened() as socket:
        await socket.send(f'40{{"token":"1","x":{DEEP},"y":1e400}}')
        assert str(await socket.next()).startswith('40{"sid":')
        assert await socket.next() == '42["auth",{"token":"1","x":null,"y":null}]'
        await socket.send(f'42["message",{sent}]', f'42456["message-with-ack",{sent}]')
        await socket.expect(f'42["message-back",{back}]', f"43456[{back}]")
        await socket.send(f'451-["message",{{"_placeholder":true,"num":0}},{sent}]', b"attachment")
        await socket.expect(f'451-["message-back",{{"_placeholder":true,"num":0}},{back}]', b"attachment")


@pytest.mark.parametrize("namespace", ["", "/custom,"])
@scenario
async def test_events_come_back(socket_io: Engine, namespace: str) -> None:
    async with socket_io.opened() as socket:
        await socket.connect(namespace.removesuffix(","))
        await socket.send(f'42{namespace}["message",1,"2",{{"3":[true]}}]')
        await socket.expect(f'42{namespace}["message-back",1,"2",{{"3":[true]}}]')
        await socket.send(f'42{namespace}456["message-with-ack",1,"2",{{"3":[false]}}]')
        await socket.expect(f'43{namespace}456[1,"2",{{"3":[false]}}]')
        await socket.send(f'42{namespace}[7,"a number as a name"]', f'42{namespace}["unknown"]')


@scenario
async def test_half_of_a_surrogate_pair_is_no_reason_for_an_end(socket_io: Engine) -> None:
    async with socket_io.opened() as socket:
        await socket.connect()
        # What JavaScript makes of an emoji that was cut in two.
        await socket.send('42["message","cut: \\ud83d","whole: \\ud83d\\ude00"]')
        await socket.expect('42["message-back","cut: \ufffd","whole: \U0001f600"]')


@scenario
async def test_attachments_come_back(socket_io: Engine) -> None:
    places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
    async with socket_io.opened() as socket:
        await socket.connect()
        await socket.send(f'452-["message",{places}]', b"\1\2\3", b"\4\5\6")
        await socket.expect(f'452-["message-back",{places}]', b"\1\2\3", b"\4\5\6")
        await socket.send(f'452-789["message-with-ack",{places}]', b"\1\2\3", b"\4\5\6")
        await socket.expect(f"462-789[{places}]", b"\1\2\3", b"\4\5\6")


@scenario
async def test_attachments_come_back_over_polling(socket_io: Engine) -> None:
    async with socket_io.polling() as session:
        await session.say("40")
        received = await session.next()
        while '42["auth",{}]' not in received:
            received += await session.next()
        await session.say('451-["message",{"_placeholder":true,"num":0}]\x1ebAQIDBA==')
        received = await session.next()
        while "b" not in received[-12:]:
            received += "\x1e" + await session.next()
        assert received == '451-["message-back",{"_placeholder":true,"num":0}]\x1ebAQIDBA=='


@scenario
async def test_the_server_asks_and_the_client_answers(socket_io: Engine) -> None:
    async with socket_io.opened() as socket:
        await socket.connect()
        await socket.send('42["ask","why"]', '42["ask","how"]')
        await socket.expect('420["question","why"]', '421["question","how"]')
        await socket.send('431["so"]', '430["because",1]', '4317["nobody asked"]')
        await socket.expect('42["answer","so"]', '42["answer","because",1]')


@scenario
async def test_a_room_hears_what_is_said_but_the_speaker_does_not(socket_io: Engine) -> None:
    async with socket_io.opened() as speaker, socket_io.opened() as listener, socket_io.polling() as poller:
        for socket in (speaker, listener):
            await socket.connect()
            await socket.send('42["join","r"]', '42["message","joined"]')
            await socket.expect('42["message-back","joined"]')
        await poller.say("40")
        await poller.say('42["join","r"]\x1e42["message","joined"]')
        while "joined" not in await poller.next():
            pass
        await speaker.send(*(f'42["say","r",{number}]' for number in range(200)), '42["message","end"]')
        await speaker.expect('42["message-back","end"]')
        await listener.expect(*(f'42["said","r",{number}]' for number in range(200)))
        heard: list[str] = []
        while len(heard) < 200:
            heard += (await poller.next()).split("\x1e")
        assert heard == [f'42["said","r",{number}]' for number in range(200)]


@scenario
async def test_nothing_is_lost_on_the_way_from_polling_to_websocket(socket_io: Engine) -> None:
    async with socket_io.opened() as speaker, socket_io.polling() as session:
        await speaker.connect()
        await session.say("40")
        await session.say('42["join","r"]\x1e42["message","joined"]')
        while "joined" not in await session.next():
            pass

        async def speak() -> None:
            for number in range(300):
                # Spoken at the pace of the answers, which leaves time for the other side.
                await speaker.send(f'42["say","r",{number}]', '42["message"]')
                await speaker.expect('42["message-back"]')

        speaking = asyncio.create_task(speak())
        heard = (await session.next()).split("\x1e")
        async with socket_io.websocket(session.upgrade_query) as socket:
            await socket.send("2probe")
            await socket.expect("3probe")
            heard += (await session.next()).split("\x1e")
            await socket.send("5")
            while len([packet for packet in heard if packet != "6"]) < 300:
                message = await socket.next()
                assert isinstance(message, str)
                heard.append(message)
        await speaking
        assert [packet for packet in heard if packet != "6"] == [f'42["said","r",{number}]' for number in range(300)]
