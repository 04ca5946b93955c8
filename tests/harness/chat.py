"""The service as its clients see it, plus short cuts for what a test is not about.

Users are inserted by SQL with one precomputed cheap hash and get hand-signed tokens, because each registration and
log-in through the service costs a quarter of a second of bcrypt. ``register`` is the real thing.
"""

import itertools
import json
import ssl
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness import tokens
from harness.database import Database
from harness.processes import ServerProcess
from harness.raw import RawSocket
from harness.sockets import ChatSocket, refused_with

SECRET_KEY = "the-signing-key-of-the-test-suite-0123456789"
PASSWORD = "clave-de-prueba-7"
# bcrypt of PASSWORD with cost 4.
PASSWORD_HASH = "$2b$04$xJti8o/l9xf3TYIXF0XHAOIgDqVO/LBDRyp/iTM7JDQEzVYa1EPh."
ALLOWED_ORIGINS = ("http://localhost:3000", "http://localhost:8080", "http://127.0.0.1:3000")

_numbers = itertools.count(1)


def unique(name: str) -> str:
    """A name no other test uses."""
    return f"{name}_{next(_numbers)}_{uuid.uuid4().hex[:6]}"


def settings_for(database: Database) -> dict[str, str]:
    """The environment of a server on this database."""
    return {
        "DATABASE_URL": database.url,
        "SECRET_KEY": SECRET_KEY,
        "ALLOWED_ORIGINS": json.dumps(ALLOWED_ORIGINS),
    }


@dataclass(frozen=True)
class User:
    """An account and a token for it."""

    id: int
    username: str
    email: str
    full_name: str | None
    token: str
    password: str = PASSWORD

    @property
    def headers(self) -> dict[str, str]:
        """The header that authenticates a request."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Chat:
    """A running server and its database."""

    server: ServerProcess
    database: Database
    sockets: list[ChatSocket] = field(default_factory=list)

    @property
    def context(self) -> ssl.SSLContext | None:
        """The TLS context, if the server speaks TLS."""
        return self.server.context

    @property
    def http(self) -> httpx.Client:
        """The client behind ``call``."""
        return self.server.http

    # Requests -----------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, user: User | None = None, **options: Any) -> httpx.Response:
        """Send a request, as ``user`` if one is given."""
        headers = dict(options.pop("headers", {}))
        if user is not None:
            headers.update(user.headers)
        return self.http.request(method, path, headers=headers, **options)

    def get(self, path: str, user: User | None = None, **options: Any) -> httpx.Response:
        """GET."""
        return self.call("GET", path, user, **options)

    def post(self, path: str, user: User | None = None, **options: Any) -> httpx.Response:
        """POST."""
        return self.call("POST", path, user, **options)

    def put(self, path: str, user: User | None = None, **options: Any) -> httpx.Response:
        """PUT."""
        return self.call("PUT", path, user, **options)

    # Accounts -----------------------------------------------------------------------------------------------------

    def user(
        self,
        name: str = "ana",
        *,
        username: str | None = None,
        full_name: str | None = None,
        active: bool | None = True,
        hashed: str = PASSWORD_HASH,
    ) -> User:
        """Insert an account by SQL and sign a token for it."""
        username = unique(name) if username is None else username
        email = f"{username}@example.com"
        user_id = self.database.value(
            "insert into users (username, email, hashed_password, full_name, is_active, created_at) "
            "values (?, ?, ?, ?, ?, ?) returning id",
            username,
            email,
            hashed,
            full_name,
            active,
            self.database.now(),
        )
        return User(user_id, username, email, full_name, tokens.sign_for(username, SECRET_KEY))

    def users(self, *names: str) -> list[User]:
        """Several accounts."""
        return [self.user(name) for name in names]

    def register(self, name: str = "ana", **body: Any) -> User:
        """Register and log in through the service."""
        username = body.pop("username", unique(name))
        wanted = {"username": username, "email": f"{unique(name)}@example.com", "password": PASSWORD, **body}
        answer = self.post("/api/users/register", json=wanted)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        token = self.log_in(username, wanted["password"]).json()["access_token"]
        return User(made["id"], username, made["email"], made["full_name"], token, wanted["password"])

    def log_in(self, username: str, password: str = PASSWORD) -> httpx.Response:
        """Log in through the service."""
        return self.post("/api/users/login", json={"username": username, "password": password})

    # Rooms --------------------------------------------------------------------------------------------------------

    def room(self, owner: User, *, private: bool = False, name: str = "Sala", **body: Any) -> int:
        """Make a room and give its id."""
        answer = self.post("/api/rooms/", owner, json={"name": name, "is_private": private, **body})
        assert answer.status_code == 201, answer.text
        room_id = answer.json()["id"]
        assert isinstance(room_id, int)
        return room_id

    def join(self, room_id: int, *users: User) -> None:
        """Make users members of a public room."""
        for user in users:
            answer = self.post(f"/api/rooms/{room_id}/join", user)
            assert answer.status_code == 200, answer.text

    def add_member(self, room_id: int, owner: User, user: User) -> None:
        """Make a user a member of a private room."""
        answer = self.post(f"/api/rooms/{room_id}/members", owner, json={"user_id": user.id})
        assert answer.status_code in {200, 201}, answer.text

    def say(self, room_id: int, user: User, content: str, **body: Any) -> dict[str, Any]:
        """Send a message over REST."""
        answer = self.post(f"/api/rooms/{room_id}/messages", user, json={"content": content, **body})
        assert answer.status_code == 201, answer.text
        message = answer.json()
        assert isinstance(message, dict)
        return message

    def edit(self, room_id: int, user: User, message_id: int, content: str) -> dict[str, Any]:
        """Edit a message over REST."""
        answer = self.call("PATCH", f"/api/rooms/{room_id}/messages/{message_id}", user, json={"content": content})
        assert answer.status_code == 200, answer.text
        message = answer.json()
        assert isinstance(message, dict)
        return message

    def delete(self, room_id: int, user: User, message_id: int) -> None:
        """Delete a message over REST."""
        answer = self.call("DELETE", f"/api/rooms/{room_id}/messages/{message_id}", user)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    def store_file(self, uploader: User) -> int:
        """Insert a file record, as an upload would leave it."""
        file_id = self.database.value(
            "insert into file_uploads (original_filename, stored_filename, file_size, content_type, public_url, "
            "uploader_id, uploaded_at) values (?, ?, ?, ?, ?, ?, ?) returning id",
            "a ñ.txt",
            "b.txt",
            5,
            "text/plain",
            "https://storage.example.com/b.txt",
            uploader.id,
            self.database.now(),
        )
        assert isinstance(file_id, int)
        return file_id

    def history(self, room_id: int, user: User, limit: int = 1000) -> list[dict[str, Any]]:
        """The messages of a room, oldest first."""
        answer = self.get(f"/api/rooms/{room_id}/messages", user, params={"limit": limit})
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()))

    def online(self, room_id: int, user: User) -> list[int]:
        """The users online in a room, in order."""
        answer = self.get(f"/api/ws/rooms/{room_id}/online", user)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["online_users"]]

    # Sockets ------------------------------------------------------------------------------------------------------

    def socket_url(self, room_id: object, token: str | None, prefix: str = "/api/ws") -> str:
        """The address of a socket."""
        base = "ws" + self.server.base_url.removeprefix("http")
        return f"{base}{prefix}/{room_id}" + ("" if token is None else f"?token={token}")

    def connect(
        self,
        room_id: int,
        user: User,
        *,
        welcomed: bool = True,
        since: int | None = None,
        since_change: int | None = None,
        events: str | None = None,
        **options: Any,
    ) -> ChatSocket:
        """Open a socket; by default read its two first frames. ``close_sockets`` ends it."""
        url = self.socket_url(room_id, user.token)
        url += "" if since is None else f"&since_seq={since}"
        url += "" if since_change is None else f"&since_change={since_change}"
        url += "" if events is None else f"&events={events}"
        socket = ChatSocket.open(url, self.context, **options)
        self.sockets.append(socket)
        if welcomed:
            socket.welcomed()
        return socket

    def connect_all(self, room_id: int, *users: User, **options: Any) -> list[ChatSocket]:
        """Open a socket for each user; nobody has a frame left to read afterwards."""
        opened: list[ChatSocket] = []
        present: list[int] = []
        for user in users:
            socket = self.connect(room_id, user, **options)
            if user.id not in present:
                for other in opened:
                    other.expect("user_joined")
            opened.append(socket)
            present.append(user.id)
        return opened

    def connect_raw(self, room_id: int, user: User, receive_buffer: int | None = None) -> RawSocket:
        """Open a socket by hand and read nothing of it."""
        return RawSocket.open(self.socket_url(room_id, user.token), self.context, receive_buffer)

    def refused(self, room_id: object, token: str | None, prefix: str = "/api/ws") -> tuple[int, bytes]:
        """Try a handshake that must be refused; gives status and body."""
        return refused_with(self.socket_url(room_id, token, prefix), self.context)

    def expect_nothing(self, room_id: int, speaker: User, *sockets: ChatSocket) -> None:
        """Prove that the sockets have nothing to read: the next frame of each is a message said now."""
        message = self.say(room_id, speaker, unique("marker"))
        for socket in sockets:
            assert socket.expect("message")["id"] == message["id"]

    def close_sockets(self) -> None:
        """Close every socket opened through ``connect``."""
        while self.sockets:
            self.sockets.pop().close()
