"""Two users chat through Starlette's test client, inside this process; run by ``test_other_servers``.

The lifespan is started twice in one process.
"""

from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from chat_app.main import app

PASSWORD = "clave-de-prueba-7"


def token_of(client: TestClient, name: str) -> str:
    """Register unless registered, and log in."""
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert client.post("/api/users/register", json=body).status_code in {201, 400}
    answer = client.post("/api/users/login", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def chat(client: TestClient) -> None:
    """Everything once: rooms, two sockets, a message, an error, a refusal, the end."""
    ana, beto = token_of(client, "ana"), token_of(client, "beto")
    headers = {"Authorization": f"Bearer {ana}"}
    room = client.post("/api/rooms/", json={"name": "Sala"}, headers=headers).json()["id"]
    with client.websocket_connect(f"/api/ws/{room}?token={ana}") as first:
        assert [first.receive_json()["type"] for _ in range(2)] == ["welcome", "users_online"]
        with client.websocket_connect(f"/ws/{room}?token={beto}") as second:
            assert [second.receive_json()["type"] for _ in range(2)] == ["welcome", "users_online"]
            assert first.receive_json()["type"] == "user_joined"
            second.send_json({"content": "hola"})
            assert first.receive_json()["content"] == second.receive_json()["content"] == "hola"
            second.send_bytes(b"x")
            assert second.receive_json() == {"type": "error", "message": "Formato de mensaje inválido"}
        assert first.receive_json()["type"] == "user_left"
    try:
        with client.websocket_connect(f"/api/ws/{room}?token=bad"):
            raise AssertionError("the handshake was accepted")
    except WebSocketDisconnect:
        pass
    history = client.get(f"/api/rooms/{room}/messages", headers=headers).json()
    assert [message["content"] for message in history] == ["hola"]


def main() -> None:
    """Start, chat and stop, twice."""
    for _ in range(2):
        with TestClient(app) as client:
            chat(client)
    print("chatted")


if __name__ == "__main__":
    main()
