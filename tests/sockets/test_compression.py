"""permessage-deflate (RFC 7692) on handed-off sockets: only when configured, and never without bounds."""

import zlib
from collections.abc import Iterator

import pytest
from harness.chat import Chat, User
from harness.pool import ServerPool
from harness.raw import CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, encode_frame
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

EXTENSIONS = "Sec-WebSocket-Extensions"
NO_CONTEXT = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
COMPRESSED = 4
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009
LONG_TEXT = "lo mismo otra vez, ñ 😀; " * 400


@pytest.fixture(scope="module")
def compressing(shared_servers: ServerPool) -> Iterator[Chat]:
    """A server that grants compression, with a low limit for messages."""
    settings = {"WEBSOCKET_COMPRESSION": "true"}
    chat = shared_servers.prepare("sqlite", "--ws-max-size", "200000", settings=settings)
    chat.server.start()
    yield chat
    shared_servers.close_own()


def deflated(payload: bytes) -> bytes:
    """A message as it travels."""
    compressor = zlib.compressobj(wbits=-15)
    stream = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return stream.removesuffix(b"\x00\x00\xff\xff")


def open_raw(chat: Chat, room: int, user: User, offer: str = "permessage-deflate") -> tuple[RawSocket, str]:
    """A socket by hand that offers an extension, welcome frames read, and the head of the answer."""
    raw = RawSocket(chat.socket_url(room, user.token), chat.context)
    raw.send_bytes(raw.request(f"{EXTENSIONS}: {offer}"))
    status, head = raw.read_response()
    assert status == 101, head
    for kind in (b"welcome", b"users_online"):
        assert kind in raw.read_until(TEXT).payload
    return raw, head.lower()


def test_it_is_off_by_default(shared_servers: ServerPool) -> None:
    chat = shared_servers.shared("sqlite")
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana, compression="deflate")
    assert socket.response.headers.get(EXTENSIONS) is None
    socket.say(LONG_TEXT)
    assert socket.expect("message")["content"] == LONG_TEXT.strip()
    socket.close()


@pytest.mark.parametrize(
    "offer",
    [
        ClientPerMessageDeflateFactory(),
        ClientPerMessageDeflateFactory(client_max_window_bits=True),
        ClientPerMessageDeflateFactory(client_max_window_bits=9, server_max_window_bits=12),
        ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True),
    ],
    ids=["plain", "browser", "windows", "no context"],
)
def test_clients_that_offer_it_talk_to_those_that_do_not(
    compressing: Chat, offer: ClientPerMessageDeflateFactory
) -> None:
    ana, beto = compressing.users("ana", "beto")
    room = compressing.room(ana)
    first = compressing.connect(room, ana, compression=None, extensions=[offer])
    second = compressing.connect(room, beto, compression=None)
    first.expect("user_joined")
    assert first.response.headers[EXTENSIONS].startswith(NO_CONTEXT)
    assert second.response.headers.get(EXTENSIONS) is None
    for text in ("corto", LONG_TEXT, LONG_TEXT):
        first.say(text)
        frame = first.expect("message")
        assert frame["content"] == text.strip()
        assert second.receive() == frame
        second.say(text)
        frame = first.expect("message")
        assert frame["content"] == text.strip()
        assert second.receive() == frame


def test_an_offer_that_cannot_be_honoured_is_declined(compressing: Chat) -> None:
    ana = compressing.user()
    room = compressing.room(ana)
    for offer in ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; new", "x-deflate", ";"):
        raw, head = open_raw(compressing, room, ana, offer)
        assert EXTENSIONS.lower() not in head, offer
        raw.send_bytes(encode_frame(TEXT, deflated(b"{}"), reserved=COMPRESSED))
        assert raw.read_until(CLOSE).close_code == PROTOCOL_ERROR
        raw.close()


def test_fragments_of_a_compressed_message_with_a_ping_between(compressing: Chat) -> None:
    ana = compressing.user()
    raw, _ = open_raw(compressing, compressing.room(ana), ana)
    message = deflated(b'{"content":"in pieces"}')
    raw.send_bytes(encode_frame(TEXT, message[:4], final=False, reserved=COMPRESSED))
    raw.send(PING, b"between")
    raw.send(CONTINUATION, message[4:])
    assert raw.read_until(PONG).payload == b"between"
    assert b"in pieces" in raw.read_until(TEXT).payload
    raw.close()


BROKEN = {
    "a bomb": (deflated(bytes(200_001)), TOO_BIG),
    "a larger bomb": (deflated(bytes(100_000_000)), TOO_BIG),
    "no deflate stream": (b"\xff\xff\xff", PROTOCOL_ERROR),
    "no text": (deflated(b'{"content":"\xff"}'), INVALID_DATA),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_messages_close_the_socket(compressing: Chat, name: str) -> None:
    message, code = BROKEN[name]
    ana = compressing.user()
    raw, _ = open_raw(compressing, compressing.room(ana), ana)
    raw.send_bytes(encode_frame(TEXT, message, reserved=COMPRESSED))
    assert raw.read_until(CLOSE).close_code == code
    raw.close()


def test_the_bit_of_compression_belongs_to_the_first_frame(compressing: Chat) -> None:
    ana = compressing.user()
    room = compressing.room(ana)
    for frames in (
        encode_frame(TEXT, b"{", final=False) + encode_frame(CONTINUATION, b"}", reserved=COMPRESSED),
        encode_frame(PING, b"", reserved=COMPRESSED),
    ):
        raw, _ = open_raw(compressing, room, ana)
        raw.send_bytes(frames)
        assert raw.read_until(CLOSE).close_code == PROTOCOL_ERROR
        raw.close()


def read_wire(raw: RawSocket) -> tuple[int, bytes]:
    """The first byte and the payload of the next frame of medium length."""
    first, second = raw.take(2)
    assert second == 126, "neither short nor very long"
    return first, raw.take(int.from_bytes(raw.take(2)))


def test_a_long_message_is_compressed_alike_for_all_who_want_it(compressing: Chat) -> None:
    ana = compressing.user()
    room = compressing.room(ana)
    readers = [open_raw(compressing, room, ana)[0] for _ in range(2)]
    plain = compressing.connect_raw(room, ana)
    assert b"welcome" in plain.read_until(TEXT).payload
    assert b"users_online" in plain.read_until(TEXT).payload
    readers[0].send(TEXT, f'{{"content":"{LONG_TEXT}"}}'.encode())
    first, payload = read_wire(plain)
    assert first == 0x80 | TEXT
    compressed = [read_wire(reader) for reader in readers]
    assert compressed[0] == compressed[1]
    assert compressed[0][0] == 0x80 | COMPRESSED << 4 | TEXT
    assert len(compressed[0][1]) < len(payload) / 10
    inflater = zlib.decompressobj(wbits=-15)
    assert inflater.decompress(compressed[0][1] + b"\x00\x00\xff\xff") == payload
    for raw in (*readers, plain):
        raw.close()
