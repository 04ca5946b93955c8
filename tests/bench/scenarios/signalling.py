"""Signalling of webrtc: how long a candidate takes to the other party of a call and back.

Several calls of two at once; whoever calls sends at fixed times, whatever the server does with it, and the other party
sends back what comes, so each round trip is two relayed messages. What is relayed is not stored, so nothing but the
relay is measured, and the client's own part in it.
"""

from dataset import SECRET_KEY, sign_webrtc_token
from load_client import SocketClient, open_loop
from server import uvicorn_server
from table import Row, at_most
from workshop import OURS, Workshop, latency, show

CALLS = 10
RELAYED_PER_SECOND = 1000
ROUNDS = 3
SECONDS = 5
# As long as a candidate is with what comes beside it.
CONTENT_BYTES = 200
MOST_MS = 2


def measure(workshop: Workshop) -> list[Row]:
    """Candidates to the other party and back, 1,000 relayed per second in all."""
    folder = workshop.folder / "signalling"
    environment = {"DATABASE_URL": f"sqlite:///{folder / 'chat.db'}", "SECRET_KEY": SECRET_KEY}
    places = [_place(index) for index in range(2 * CALLS)]
    # One after the other, so that whoever is called is there.
    with (
        uvicorn_server("chat_app.main:app", folder, environment, welcomes=True, dialect="signalling") as server,
        SocketClient(server, places, handshakes=1) as client,
    ):
        load = open_loop(RELAYED_PER_SECOND / 2, 1)
        results = [client.load(SECONDS, load, content_bytes=CONTENT_BYTES) for _ in range(ROUNDS)]
    for result in results:
        workshop.note_client_load("signalling", result)
    show(OURS, results)
    figure = latency(results, "p99_ms")
    name = f"signalling, {RELAYED_PER_SECOND:,} relayed/s in {CALLS} calls of two: round trip p99 ms"
    return [Row(name, figure, goal=at_most(figure, MOST_MS))]


def _place(index: int) -> dict[str, object]:
    """One of the first half is called by one of the second, who has a room alone, and so gets what comes back."""
    other = (index + CALLS) % (2 * CALLS)
    is_called = index >= CALLS
    token = sign_webrtc_token(_account(index), f"user{index}")
    return {
        "path": f"/socket.io/?EIO=4&transport=websocket&token={token}",
        "room": other,
        "peer": {"user": _account(other), "is_called": is_called},
    }


def _account(index: int) -> str:
    return f"{index:024x}"
