"""What our own implementation of the WebSocket protocol promises beyond what every server must do."""

import json
import struct
from collections.abc import Iterator

import pytest
from harness.chat import Chat
from harness.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, encode_frame

PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009


@pytest.fixture
def raw(chat: Chat) -> Iterator[RawSocket]:
    """An open socket of a new user, welcome frames read."""
    ana = chat.user()
    with chat.connect_raw(chat.room(ana), ana) as socket:
        for kind in (b"welcome", b"users_online"):
            assert kind in socket.read_frame().payload
        yield socket


def test_text_is_checked_before_its_frame_is_complete(raw: RawSocket) -> None:
    raw.send_bytes(encode_frame(TEXT, b'{"content":"\xff' + b"x" * 10_000)[:30])
    assert raw.read_until(CLOSE).close_code == INVALID_DATA


def test_a_message_is_too_long_as_soon_as_its_headers_say_so(raw: RawSocket) -> None:
    raw.send(BINARY, b"x", final=False)
    raw.send_bytes(encode_frame(CONTINUATION, bytes(1 << 24))[:10])
    assert raw.read_until(CLOSE).close_code == TOO_BIG


def test_pings_that_come_together_are_answered_in_order_before_the_messages_among_them(raw: RawSocket) -> None:
    parts = [encode_frame(PING, struct.pack("!H", number)) for number in range(20)]
    parts.insert(10, encode_frame(TEXT, b'{"content":"between"}'))
    raw.send_bytes(b"".join(parts))
    for number in range(20):
        assert raw.read_until(PONG).payload == struct.pack("!H", number)
    assert b"between" in raw.read_until(TEXT).payload


def test_a_long_message_comes_in_any_pieces(raw: RawSocket) -> None:
    text = "ñ☃😀" * 10_000
    frame = encode_frame(TEXT, b'{"content":"' + text.encode() + b'"}')
    for start in range(0, len(frame), 997):
        raw.send_bytes(frame[start : start + 997])
    assert json.loads(raw.read_until(TEXT).payload)["content"] == text


def test_a_length_with_its_highest_bit_is_no_length(raw: RawSocket) -> None:
    raw.send_bytes(b"\x81\xff" + struct.pack("!Q", 1 << 63))
    assert raw.read_until(CLOSE).close_code == PROTOCOL_ERROR
