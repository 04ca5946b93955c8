"""``Connection`` and ``Upgrade`` are lists, in as many lines as whoever wrote them liked."""

import pytest
from harness.chat import Chat
from harness.pool import ServerPool
from harness.raw import RawSocket

UPGRADES = [
    ["Connection: Upgrade", "Connection: keep-alive", "Upgrade: websocket"],
    ["Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket"],
    ["Connection: keep-alive, Upgrade", "Upgrade: websocket, foo"],
    ["Connection: Upgrade", "Upgrade: foo,WebSocket"],
    ["Connection: upgrade", "Upgrade: websocket", "Upgrade: foo"],
    ["Connection: Upgrade,", "Connection: close", "Upgrade: foo", "Upgrade: websocket"],
]
OTHERS = [
    ["Connection: keep-alive", "Connection: close", "Upgrade: websocket"],
    ["Connection: not-upgrade", "Upgrade: websocket"],
]


def ask(chat: Chat, target: str, lines: list[str]) -> RawSocket:
    """Send the request for an upgrade with these lines instead of the usual ones."""
    raw = RawSocket(chat.socket_url(1, None), chat.context)
    raw.target = target
    usual = [line for line in raw.request().decode().split("\r\n")[:-2] if not line.startswith(("Connect", "Upgrade"))]
    raw.send_bytes(("\r\n".join([*usual, *lines]) + "\r\n\r\n").encode())
    return raw


@pytest.mark.parametrize("lines", UPGRADES, ids=" ".join)
def test_an_upgrade_is_found_in_every_line(chat: Chat, lines: list[str]) -> None:
    ana = chat.user()
    with ask(chat, f"/api/ws/{chat.room(ana)}?token={ana.token}", lines) as raw:
        assert raw.read_response()[0] == 101
        assert b'"welcome"' in raw.read_frame().payload


@pytest.mark.parametrize("lines", UPGRADES[::2], ids=" ".join)
@pytest.mark.parametrize("path", ["/socket.io/?EIO=4&transport=websocket", "/compat/ws-hub/ws?username=eva"])
def test_the_compatible_systems_find_it_too(chat: Chat, path: str, lines: list[str]) -> None:
    with ask(chat, path, lines) as raw:
        usual = ask(chat, path, ["Connection: Upgrade", "Upgrade: websocket"])
        assert raw.read_response()[0] == usual.read_response()[0]
        usual.close()


@pytest.mark.parametrize("lines", OTHERS, ids=" ".join)
def test_what_is_no_upgrade_stays_a_request(chat: Chat, lines: list[str]) -> None:
    ana = chat.user()
    with ask(chat, f"/api/ws/{chat.room(ana)}?token={ana.token}", lines) as raw:
        assert raw.read_response()[0] == 404


@pytest.mark.parametrize("arguments", [("--http", "h11"), ("--http", "h11", "--ws", "wsproto")], ids=" ".join)
def test_under_the_other_parser_of_uvicorn(servers: ServerPool, arguments: tuple[str, ...]) -> None:
    for transport in ("handoff", "asgi"):
        chat = servers.prepare("sqlite", *arguments, transport=transport)
        chat.server.start()
        ana = chat.user()
        room = chat.room(ana)
        for lines in UPGRADES:
            with ask(chat, f"/api/ws/{room}?token={ana.token}", lines) as raw:
                assert raw.read_response()[0] == 101, lines
