"""JSON that one language writes and another does not read: relayed or refused to its sender; nobody is disconnected."""

import json

import pytest
from harness.chat import Chat, unique
from harness.engine import Engine, scenario
from harness.faces import Face, settled
from harness.siblings import Sibling

DEEP = "[" * 5_000 + "]" * 5_000
ODD = ["1e400", "-1e999", "9" * 400, DEEP, r'"\ud83d"', '{"a":1,"a":2}', r'{"\udc00":1e400}', "1e-999", r'"\u0000"']


@scenario
async def test_every_system_lives_through_it(face: Face) -> None:
    async with face.joined() as socket:
        for odd in ODD:
            for arguments in (odd, f'{{"roomId":{odd}}}', f'{{"meetingId":"x","x":{odd}}},{odd}'):
                await socket.send(face.spell(f'42NS,["EVENT",{arguments}]'), face.spell(f"43NS,99[{arguments}]"))
                await settled(socket)


@scenario
async def test_a_handshake_with_it_is_judged_by_its_token(face: Face) -> None:
    async with Engine(face.chat, "/socket.io/").opened() as socket:
        for odd in ODD:
            await socket.send(f'40{face.prefix}{{"x":{odd},"token":{json.dumps(face.token)}}}')
            assert str(await socket.next()).startswith(f'40{face.prefix}{{"sid":'), odd
            await settled(socket)
            await socket.send(f"41{face.prefix}")


@pytest.mark.parametrize(
    ("odd", "relayed"),
    [("1e400", "null"), ("[1,-1e999]", "[1,null]"), (r'"\ud83d"', '"\ufffd"'), ('{"a":1,"a":2}', '{"a":2}')],
)
@scenario
async def test_an_offer_reaches_the_other_side(webrtc: Sibling, odd: str, relayed: str) -> None:
    ana, beto = webrtc.accounts("ana", "beto")
    room = webrtc.post("/api/rooms", ana.token, json={"name": unique("Room"), "participants": [beto.id]}).json()["id"]
    own = Face(webrtc, webrtc.mount, ana.token)
    async with own.joined() as caller, own.joined(beto.token) as callee:
        for socket in (caller, callee):
            await socket.send(f'42{own.prefix}["join-room","{room}"]')
            await settled(socket)
        await settled(caller)
        await caller.send(f'42{own.prefix}1["webrtc-offer",{{"to":"{beto.id}","offer":{odd}}}]')
        while not (heard := str(await callee.next())).startswith(f'42{own.prefix}["webrtc-offer",'):
            pass
        assert json.loads(heard.removeprefix(f"42{own.prefix}"))[1]["offer"] == json.loads(relayed)
        answers = await settled(caller)
        assert any(answer.startswith(f"43{own.prefix}1[") and '"ok":true' in answer for answer in answers), answers
        # Too deep to be read: the sender hears that it is not understood.
        await caller.send(f'42{own.prefix}2["webrtc-offer",{{"to":"{beto.id}","offer":{DEEP}}}]')
        answers = await settled(caller)
        assert any(answer.startswith(f"43{own.prefix}2[") and '"ok":false' in answer for answer in answers), answers
        assert await settled(callee) == []


def test_a_socket_of_a_room(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    for odd in ODD:
        socket.send_raw(f'{{"type":"ping","x":{odd}}}')
        assert socket.receive()["type"] in {"pong", "error"}, odd
        socket.send_raw(f'{{"type":"message","content":{odd}}}')
        socket.expect_error("Formato de mensaje inválido")
        socket.send_raw(f'{{"type":"message","content":"x","file_id":{odd}}}')
        assert socket.receive()["type"] == "error", odd
