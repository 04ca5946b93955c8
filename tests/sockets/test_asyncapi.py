"""docs/asyncapi.json and the service agree on what a frame is.

That the frames of the service are as the document says is checked with each frame that any test receives, those of the
recorded exchanges included (see ``harness/sockets.py``). Here: what clients send.
"""

import json

from harness import asyncapi
from harness.chat import Chat
from harness.transcripts import load_cases

MALFORMED, UNKNOWN, LONG = "Formato de mensaje inválido", "Tipo de mensaje desconocido", "Mensaje demasiado largo"
MORE = [
    {"type": "message", "content": "a", "client_id": "c-1"},
    {"type": "message", "content": "a", "client_id": ""},
    {"type": "message", "content": "a", "client_id": "a\n"},
    {"type": "message", "content": "a", "client_id": 7},
    {"type": "message", "content": "a", "client_id": None},
    {"type": "message", "content": "a\0"},
    {"type": "message", "content": "ñ" * 131_073},
    {"type": "message", "content": "ñ" * 131_072},
    {"file_id": "7.0"},
    {"file_id": 7.0},
    {"file_id": 1.5},
    {"file_id": True},
    {"file_id": [7]},
    {"content": "a", "file_id": "x"},
    {"type": "typing", "typing": []},
    {"type": "resume"},
    {"type": "resume", "since_seq": 0},
    {"type": "resume", "since_seq": " 7 "},
    {"type": "resume", "since_seq": -1},
    {"type": "resume", "since_seq": None},
    {"type": None},
    {"type": ["ping"]},
    {"type": "ping", "more": {"a": 1}},
]


def recorded() -> list[str]:
    """What clients send in the recorded exchanges; a variable stands for an id."""
    steps = (step for case in load_cases() for step in case["steps"] if step["op"] == "ws_send")
    texts = [step.get("text", json.dumps(step.get("json"))) for step in steps if "binary_hex" not in step]
    return sorted({text.replace('"${file}"', "7") for text in texts})


def test_the_recorded_exchanges_have_frames_of_all_kinds() -> None:
    allowed = [asyncapi.is_client_frame(text) for text in recorded()]
    assert allowed.count(True) > 10
    assert allowed.count(False) > 10


def test_the_service_understands_what_the_document_allows(chat: Chat) -> None:
    ana = chat.user()
    socket = chat.connect(chat.room(ana), ana)
    for text in [*recorded(), *map(json.dumps, MORE)]:
        socket.send_raw(text)
        # Behind what is refused comes the answer to this.
        socket.send({"type": "end"})
        errors = []
        while (frame := socket.receive()) != {"type": "error", "message": f"{UNKNOWN}: end"}:
            errors.append(frame.get("message", "") if frame["type"] == "error" else "")
        refused = any(error.startswith((MALFORMED, UNKNOWN, LONG)) for error in errors)
        assert refused != asyncapi.is_client_frame(text), text
