"""A chat on uWebSockets through socketify, as its documentation shows it: native topics, one publish per message.

It authenticates nobody and stores nothing; its frames have the form and the length of the service's.
"""

import itertools
import json
from datetime import UTC, datetime

from socketify import App, AppListenOptions, CompressOptions, OpCode

SENDER = '"sender":{"id":1,"username":"user00001","full_name":"Full Name 00001"}'
# Far above what a socket that reads has ever waiting.
BACKPRESSURE_BYTES = 16 * 1024 * 1024

message_ids = itertools.count(1)
# socketify does without a lifespan; with one it looks for ASGI hooks.
app = App(lifespan=False)


def upgrade(response, request, context):
    """Remember the room of a socket."""
    response.upgrade(
        request.get_header("sec-websocket-key"),
        request.get_header("sec-websocket-protocol"),
        request.get_header("sec-websocket-extensions"),
        context,
        request.get_parameter(0),
    )


def opened(socket):
    """Subscribe a socket to its room."""
    socket.subscribe(socket.get_user_data())


def received(socket, text, _opcode):
    """Send a message to everybody in the room."""
    room = socket.get_user_data()
    content = json.dumps(json.loads(text)["content"])
    timestamp = datetime.now(UTC).isoformat(timespec="microseconds")
    app.publish(
        room,
        f'{{"type":"message","id":{next(message_ids)},"content":{content},"room_id":{room},{SENDER},"file_id":null,'
        f'"timestamp":"{timestamp}"}}',
        OpCode.TEXT,
    )


app.ws(
    "/api/ws/:room",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 16 * 1024 * 1024,
        "max_backpressure": BACKPRESSURE_BYTES,
        "idle_timeout": 120,
        # Or it closes sockets that only listen.
        "send_pings_automatically": True,
        "upgrade": upgrade,
        "open": opened,
        "message": received,
    },
)
app.listen(
    AppListenOptions(port=0, host="127.0.0.1"),
    lambda config: print(f"running on http://127.0.0.1:{config.port}", flush=True),
)
app.run()
