"""The WebSocket protocol itself (RFC 6455): fragments, control frames, violations, the closing handshake."""

import json
import struct
import time
from collections.abc import Iterator

import pytest
from harness.chat import Chat
from harness.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, encode_frame
from harness.waiting import wait_until

PROTOCOL_ERROR, INVALID_DATA = 1002, 1007
PROMPT_SECONDS = 1.0
SNOWMAN = "☃".encode()


@pytest.fixture
def raw(chat: Chat) -> Iterator[RawSocket]:
    """An open socket of a new user, welcome frames read."""
    ana = chat.user()
    with chat.connect_raw(chat.room(ana), ana) as socket:
        for kind in (b"welcome", b"users_online"):
            assert kind in socket.read_frame().payload
        yield socket


def read_json(raw: RawSocket) -> dict[str, object]:
    """The next data frame, unfragmented or not."""
    frame = raw.read_until(TEXT)
    payload = frame.payload
    while not frame.final:
        frame = raw.read_until(CONTINUATION)
        payload += frame.payload
    value = json.loads(payload)
    assert isinstance(value, dict)
    return value


def test_fragments_with_control_frames_between(raw: RawSocket) -> None:
    message = json.dumps({"content": "uno ☃ dos"}, ensure_ascii=False).encode()
    middle = message.index(SNOWMAN) + 1
    raw.send(TEXT, message[:5], final=False)
    raw.send(PING, b"between")
    raw.send(CONTINUATION, b"", final=False)
    raw.send(CONTINUATION, message[5:middle], final=False)
    raw.send(PONG, b"nobody asked")
    raw.send(CONTINUATION, message[middle:])
    assert raw.read_until(PONG).payload == b"between"
    assert read_json(raw)["content"] == "uno ☃ dos"


def test_bytes_one_at_a_time(raw: RawSocket) -> None:
    for byte in encode_frame(TEXT, b'{"content":"x"}') + encode_frame(PING, b"p"):
        raw.send_bytes(bytes([byte]))
    assert read_json(raw)["content"] == "x"


def test_many_frames_in_one_segment(raw: RawSocket) -> None:
    raw.send_bytes(b"".join(encode_frame(TEXT, json.dumps({"content": str(n)}).encode()) for n in range(50)))
    assert [read_json(raw)["content"] for _ in range(50)] == [str(n) for n in range(50)]


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(125))])
def test_pings_are_answered_with_their_payload(raw: RawSocket, payload: bytes) -> None:
    raw.send(PING, payload)
    pong = raw.read_until(PONG)
    assert (pong.final, pong.payload) == (True, payload)


VIOLATIONS = {
    "not masked": encode_frame(TEXT, b"{}", masked=False),
    "reserved bit": encode_frame(TEXT, b"{}", reserved=2),
    "compressed without agreement": encode_frame(TEXT, b"{}", reserved=4),
    "reserved data opcode": encode_frame(0x3, b"{}"),
    "reserved control opcode": encode_frame(0xB, b""),
    "continuation of nothing": encode_frame(CONTINUATION, b"{}"),
    "text inside a fragmented text": encode_frame(TEXT, b"{", final=False) + encode_frame(TEXT, b"}"),
    "binary inside a fragmented text": encode_frame(TEXT, b"{", final=False) + encode_frame(BINARY, b"}"),
    "fragmented ping": encode_frame(PING, b"x", final=False),
    "long ping": encode_frame(PING, b"x" * 126),
    "close of one byte": encode_frame(CLOSE, b"\x03"),
    "close code 999": encode_frame(CLOSE, struct.pack("!H", 999)),
    "close code 1004": encode_frame(CLOSE, struct.pack("!H", 1004)),
    "close code 1005": encode_frame(CLOSE, struct.pack("!H", 1005)),
    "close code 1006": encode_frame(CLOSE, struct.pack("!H", 1006)),
    "close code 1015": encode_frame(CLOSE, struct.pack("!H", 1015)),
    "close code 2999": encode_frame(CLOSE, struct.pack("!H", 2999)),
    "close code 5000": encode_frame(CLOSE, struct.pack("!H", 5000)),
}
BAD_TEXT = {
    "bad byte": encode_frame(TEXT, b"\xff"),
    "surrogate": encode_frame(TEXT, b'"\xed\xa0\x80"'),
    "cut character": encode_frame(TEXT, SNOWMAN[:2]),
    "bad reason of a close": encode_frame(CLOSE, struct.pack("!H", 1000) + b"\xff"),
    "cut character in fragments": encode_frame(TEXT, SNOWMAN[:1], final=False) + encode_frame(CONTINUATION, b"x"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_close_with_1002(raw: RawSocket, name: str) -> None:
    raw.send_bytes(VIOLATIONS[name])
    assert raw.read_until(CLOSE).close_code == PROTOCOL_ERROR
    raw.send(CLOSE, struct.pack("!H", PROTOCOL_ERROR))
    assert raw.read_end() == b""


@pytest.mark.parametrize("name", BAD_TEXT)
def test_text_that_is_not_utf8_closes_with_1007(raw: RawSocket, name: str) -> None:
    raw.send_bytes(BAD_TEXT[name])
    assert raw.read_until(CLOSE).close_code == INVALID_DATA
    raw.send(CLOSE, struct.pack("!H", INVALID_DATA))
    assert raw.read_end() == b""


def test_the_server_ends_the_connection_once_its_close_frame_is_answered(raw: RawSocket) -> None:
    """A browser reports the close, and opens its next socket, only then (RFC 6455, section 7.1.1)."""
    raw.send(TEXT, b"{}", masked=False)
    assert raw.read_until(CLOSE).close_code == PROTOCOL_ERROR
    started = time.monotonic()
    raw.send(CLOSE, struct.pack("!H", PROTOCOL_ERROR))
    assert raw.read_end() == b""
    assert time.monotonic() - started < PROMPT_SECONDS


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, b""), (1001, b"bye"), (3000, "adiós".encode()), (4999, b"x" * 100)]
)
def test_a_close_frame_is_answered_promptly(raw: RawSocket, code: int, reason: bytes) -> None:
    started = time.monotonic()
    raw.send(CLOSE, struct.pack("!H", code) + reason)
    assert raw.read_until(CLOSE).close_code == code
    assert raw.read_end() == b"", "the server ends the connection after the closing handshake"
    assert time.monotonic() - started < PROMPT_SECONDS


def test_a_close_frame_without_a_code_is_answered(raw: RawSocket) -> None:
    raw.send(CLOSE)
    assert raw.read_until(CLOSE).close_code in {1000, 1005}
    assert raw.read_end() == b""


def test_nothing_is_read_after_a_close_frame(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    raw = chat.connect_raw(room, ana)
    raw.send_bytes(encode_frame(CLOSE, struct.pack("!H", 1000)) + encode_frame(TEXT, b'{"content":"too late"}'))
    raw.read_until(CLOSE)
    raw.close()
    assert chat.history(room, ana) == []


def test_a_message_sent_right_before_the_end_is_not_lost(chat: Chat) -> None:
    ana = chat.user()
    room = chat.room(ana)
    raw = chat.connect_raw(room, ana)
    raw.send_bytes(encode_frame(TEXT, b'{"content":"last words"}') + encode_frame(CLOSE, struct.pack("!H", 1000)))
    raw.read_until(CLOSE)
    raw.close()
    wait_until(lambda: [item["content"] for item in chat.history(room, ana)] == ["last words"], "the message")
