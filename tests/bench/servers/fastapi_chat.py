"""The chat of the FastAPI documentation: a list of sockets per room, and a loop that sends to each.

It authenticates nobody and stores nothing, so it does less than the service. Its frames have the form and the length
of the service's, and each is encoded once, not once per reader as ``send_json`` would.
"""

import itertools
import json
from collections import defaultdict
from datetime import UTC, datetime

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class ConnectionManager:
    """The open sockets by room."""

    def __init__(self) -> None:
        self.rooms: defaultdict[int, list[WebSocket]] = defaultdict(list)

    async def connect(self, room_id: int, websocket: WebSocket) -> None:
        """Accept a socket into a room."""
        await websocket.accept()
        self.rooms[room_id].append(websocket)

    def disconnect(self, room_id: int, websocket: WebSocket) -> None:
        """Forget a socket."""
        self.rooms[room_id].remove(websocket)

    async def broadcast(self, room_id: int, text: str) -> None:
        """Send a text to everybody in a room."""
        for connection in self.rooms[room_id]:
            await connection.send_text(text)


manager = ConnectionManager()
message_ids = itertools.count(1)
SENDER = {"id": 1, "username": "user00001", "full_name": "Full Name 00001"}


@app.websocket("/api/ws/{room_id}")
async def chat(websocket: WebSocket, room_id: int) -> None:
    """Send every message to everybody in the room."""
    await manager.connect(room_id, websocket)
    try:
        while True:
            received = json.loads(await websocket.receive_text())
            message = {
                "type": "message",
                "id": next(message_ids),
                "content": received["content"],
                "room_id": room_id,
                "sender": SENDER,
                "file_id": None,
                "timestamp": datetime.now(UTC).isoformat(timespec="microseconds"),
            }
            await manager.broadcast(room_id, json.dumps(message, separators=(",", ":")))
    except WebSocketDisconnect:
        manager.disconnect(room_id, websocket)
