"""Generated frames: whatever they say, the socket lives on."""

import json
from typing import Any

from harness.payloads import bounded, objects, values
from hypothesis import given
from hypothesis import strategies as st


def test_frames_of_ws_hub(live: Any) -> None:
    ana, beto = live.accounts("ana", "beto")
    room = live.room(ana, beto)
    socket = live.enter_seed(ana)
    kinds = ["JOIN_ROOM", "SEND_MESSAGE", "START_TYPING", "TYPING", "STOP_TYPING", "LEAVE_ROOM", "MESSAGE", ""]
    known = [room, ana.id, "/uploads/x.png", "https://x.io"]
    payload = values(*known) | objects(*known)
    frames = st.fixed_dictionaries({}, optional={"type": st.sampled_from(kinds) | payload, "payload": payload})

    @bounded
    @given(st.lists(frames | values(), min_size=1, max_size=8))
    def say(several: list[Any]) -> None:
        for frame in several:
            socket.send(frame)
        socket.say_frame("LEAVE_ROOM", roomId="marker")
        while (heard := json.loads(socket.receive_text())) != {"type": "ROOM_LEFT", "payload": {"roomId": "marker"}}:
            assert heard["type"] in {"ERROR", "ROOM_JOINED", "ROOM_LEFT", "MESSAGE"}

    say()
    assert live.get("/health").status_code == 200
