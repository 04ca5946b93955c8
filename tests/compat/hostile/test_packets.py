"""Packets no honest client sends, to each system: the connection pays for it, and nobody else."""

from harness.engine import Engine, scenario
from harness.faces import Face, settled

PACKETS: dict[str, list[str | bytes]] = {
    "an attachment that never comes": ['451-NS,["EVENT",PLACE]', '42NS,["EVENT"]'],
    "one of two attachments": ['452-NS,["EVENT",PLACE,{"_placeholder":true,"num":1}]', b"one", '42NS,["EVENT"]'],
    "too many attachments": ['4511-NS,["EVENT",PLACE]'],
    "more attachments than announced": ['451-NS,["EVENT",PLACE]', b"one", b"two"],
    "a place for no attachment": ['451-NS,["EVENT",{"_placeholder":true,"num":7}]', b"one"],
    "an attachment alone": [b"one"],
    "an event for a closed namespace": ["41NS,", '42NS,["EVENT","x"]'],
    "an answer for a closed namespace": ["41NS,", "43NS,0[]"],
    "an event for a namespace never entered": ['42/compat/ws-hub,["EVENT","x"]'],
    "entering twice": ["40NS,{}"],
    "no JSON": ['42NS,["EVENT",{"roomId":}]'],
    "JSON without bottom": ['42NS,["EVENT",' + '{"roomId":[' * 50_000],
    "a reserved name": ['42NS,["connect_error",{}]'],
}


@scenario
async def test_what_ends_the_connection(face: Face) -> None:
    async with face.joined() as bystander:
        for name, packets in PACKETS.items():
            async with face.joined() as socket:
                for packet in packets:
                    await socket.send(face.spell(packet) if isinstance(packet, str) else packet)
                assert await socket.closed() == 1000, name
        assert await settled(bystander) == []


@scenario
async def test_what_is_too_large(face: Face) -> None:
    async with face.joined() as bystander, face.joined() as socket, face.joined() as other:
        await socket.send(face.spell('42NS,["EVENT","') + "x" * 1_000_000 + '"]')
        assert await socket.closed() == 1009
        # As large as may be: no connection of a text of that size is worth an end.
        await other.send(face.spell('42NS,["EVENT","') + "x" * 990_000 + '"]')
        assert all(len(message) < 1_000 for message in await settled(other))
        assert await settled(bystander) == []
        engine = Engine(face.chat, "/socket.io/")
        async with engine.polling() as session:
            assert (await session.post("4" + "x" * 1_000_000)).status_code == 413
            await session.say("40/marker,")
            assert "Invalid namespace" in await session.next()


@scenario
async def test_who_vanishes_between_a_packet_and_its_attachments(face: Face) -> None:
    async with face.joined() as bystander:
        for _ in range(20):
            async with face.joined() as socket:
                await socket.send(face.spell('452-NS,["EVENT",PLACE]'), b"one")
                socket.connection.transport.abort()
        assert await settled(bystander) == []
