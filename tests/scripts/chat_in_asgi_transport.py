"""Requests through httpx's transport for ASGI, which runs no lifespan; run by ``test_extending``."""

import asyncio

import httpx

from chat_app.main import app

PASSWORD = "clave-de-prueba-7"


async def main() -> None:
    """Register, log in, say something and read it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") as client:
        body = {"username": "ana", "email": "ana@example.com", "password": PASSWORD}
        assert (await client.post("/api/users/register", json=body)).status_code == 201
        answer = await client.post("/api/users/login", json={"username": "ana", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        room = (await client.post("/api/rooms/", json={"name": "Sala"})).json()["id"]
        path = f"/api/rooms/{room}/messages"
        assert (await client.post(path, json={"content": "hola"})).status_code == 201
        assert [message["content"] for message in (await client.get(path)).json()] == ["hola"]
    print("chatted")


if __name__ == "__main__":
    asyncio.run(main())
