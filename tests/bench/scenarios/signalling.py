"""Signalling of webrtc: how long a candidate takes to the other party of a call.

Several calls of two at once; their messages come at fixed times, whatever the server does with them, and each goes from
one party to the other, who answers nothing. What is relayed is not stored, so nothing but the relay is measured.
"""

from dataset import SECRET_KEY, sign_webrtc_token
from load_client import SocketClient, open_loop
from server import uvicorn_server
from table import Row, at_most
from workshop import OURS, Workshop, latency, show

CALLS = 10
PER_SECOND = 1000
ROUNDS = 3
SECONDS = 5
# As long as a candidate is with what comes beside it.
CONTENT_BYTES = 200
MOST_MS = 2


def measure(workshop: Workshop) -> list[Row]:
    """Candidates between two in a call, 1,000 per second in all."""
    folder = workshop.folder / "signalling"
    environment = {"DATABASE_URL": f"sqlite:///{folder / 'chat.db'}", "SECRET_KEY": SECRET_KEY}
    places = [_place(index) for index in range(2 * CALLS)]
    # One after the other, so that whoever is called is there.
    with (
        uvicorn_server("chat_app.main:app", folder, environment, welcomes=True, dialect="signalling") as server,
        SocketClient(server, places, handshakes=1) as client,
    ):
        load = open_loop(PER_SECOND, 1)
        results = [client.load(SECONDS, load, content_bytes=CONTENT_BYTES) for _ in range(ROUNDS)]
    workshop.client_loads += [result["client_cpu_seconds"] / result["seconds"] for result in results]
    show(OURS, results)
    figure = latency(results, "p99_ms")
    name = f"signalling, {PER_SECOND:,} messages/s in {CALLS} calls of two: p99 ms"
    return [Row(name, figure, goal=at_most(figure, MOST_MS))]


def _place(index: int) -> dict[str, object]:
    """Two and two are in a call, of whom the second one calls; each has a room that only the other writes to."""
    other = index ^ 1
    token = sign_webrtc_token(_account(index), f"user{index}")
    return {
        "path": f"/socket.io/?EIO=4&transport=websocket&token={token}",
        "room": index,
        "writes_to": other,
        "peer": {"user": _account(other), "is_called": index > other},
    }


def _account(index: int) -> str:
    return f"{index:024x}"
