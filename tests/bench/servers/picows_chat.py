"""A chat on picows and uvloop, as its documentation shows it: a set of transports, and a loop that sends to each.

It authenticates nobody and stores nothing; its frames have the form and the length of the service's, and each is
encoded once.
"""

import itertools
import json
from collections import defaultdict
from datetime import UTC, datetime

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

SENDER = '"sender":{"id":1,"username":"user00001","full_name":"Full Name 00001"}'

message_ids = itertools.count(1)
rooms: defaultdict[str, set[WSTransport]] = defaultdict(set)


class Socket(WSListener):
    """One socket in one room."""

    def __init__(self, room: str) -> None:
        self._room = room
        self._sockets = rooms[room]

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Join the room."""
        self._sockets.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Leave the room."""
        self._sockets.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Send a message to everybody in the room."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            content = json.dumps(json.loads(frame.get_payload_as_utf8_text())["content"])
            timestamp = datetime.now(UTC).isoformat(timespec="microseconds")
            message = (
                f'{{"type":"message","id":{next(message_ids)},"content":{content},"room_id":{self._room},{SENDER},'
                f'"file_id":null,"timestamp":"{timestamp}"}}'
            ).encode()
            for socket in self._sockets:
                socket.send(WSMsgType.TEXT, message)


def listener(request: WSUpgradeRequest) -> Socket:
    """Put a socket into the room of its path."""
    path = request.path.decode().partition("?")[0]
    return Socket(path.rpartition("/")[2])


async def main() -> None:
    """Listen on a free port for ever."""
    server = await ws_create_server(listener, "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    print(f"running on http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
