"""Users, rooms and messages for the servers, and the tokens of the users.

Rows go in by SQL and tokens are signed here: registering thousands of users would take hours of bcrypt, which no
scenario is about. The service has made the tables before.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.database import Database

SECRET_KEY = "only-for-the-benchmark-0123456789abcdef"
TOKEN_SECONDS = 7200
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
TEXT = "the quick brown fox jumps over the lazy dog while nobody in this room is looking at it"


@dataclass(frozen=True)
class Dataset:
    """The database of one server."""

    database: Database

    @classmethod
    def in_file(cls, path: Path) -> "Dataset":
        """An SQLite file, which need not exist yet."""
        return cls(Database(f"sqlite:///{path}"))

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make a server use it."""
        return {"DATABASE_URL": self.database.url, "SECRET_KEY": SECRET_KEY}

    def add_users(self, count: int) -> None:
        """Users 1 to ``count``."""
        rows = [
            (
                user_id,
                user_name(user_id),
                f"{user_name(user_id)}@example.com",
                None if user_id % 7 == 0 else f"Full Name {user_id:05}",
                _time(user_id),
                _time(user_id + 1) if user_id % 2 else None,
            )
            for user_id in range(1, count + 1)
        ]
        self.database.many(
            "insert into users (id, username, email, hashed_password, full_name, is_active, created_at, updated_at)"
            " values (?, ?, ?, '!', ?, true, ?, ?)",
            rows,
        )

    def add_rooms(self, rooms: range, members: range) -> None:
        """Public rooms, all with the same members; the first one owns them."""
        self.database.many(
            "insert into rooms (id, name, description, is_private, owner_id, created_at)"
            " values (?, ?, 'A room like others', false, ?, ?)",
            [(room, f"Room {room}", members.start, _time(room)) for room in rooms],
        )
        self.database.many(
            "insert into user_rooms (user_id, room_id) values (?, ?)",
            [(user, room) for room in rooms for user in members],
        )

    def add_messages(self, room_id: int, members: range, count: int) -> None:
        """Messages of the members in turn."""
        rows = [
            (TEXT[: 20 + index * 11 % 70], members[index % len(members)], room_id, _time(1000 + index))
            for index in range(count)
        ]
        self.database.many("insert into messages (content, sender_id, room_id, created_at) values (?, ?, ?, ?)", rows)


def user_name(user_id: int) -> str:
    """The name of a user, of the same length for all."""
    return f"user{user_id:05}"


def sockets(users: int, rooms: range, per_room: int) -> Sequence[tuple[str, int]]:
    """Path and number of the room for sockets of the users in turn.

    Rooms are numbered from 0 for the load client, and in paths by their ids.
    """
    tokens = [sign_token(user) for user in range(1, users + 1)]
    return [
        (f"/api/ws/{room}?token={tokens[(index * per_room + place) % users]}", index)
        for index, room in enumerate(rooms)
        for place in range(per_room)
    ]


def sign_token(user_id: int) -> str:
    """A token as the service issues it (RFC 7519, HS256)."""
    return _sign({"sub": user_name(user_id)})


def sign_webrtc_token(account_id: str, username: str) -> str:
    """A token of webrtc; whether there is such an account is not looked at."""
    claims = {"userId": account_id, "id": account_id, "username": username, "realm": "webrtc", "iat": int(time.time())}
    return _sign(claims)


def _sign(own: Mapping[str, object]) -> str:
    claims = {**own, "exp": int(time.time()) + TOKEN_SECONDS}
    signed = f"{_encode_json({'alg': 'HS256', 'typ': 'JWT'})}.{_encode_json(claims)}"
    signature = hmac.new(SECRET_KEY.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encode(signature)}"


def _encode_json(value: dict[str, object]) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _time(seconds: int) -> str:
    """As the service stores it in SQLite; PostgreSQL reads it too."""
    return (START + timedelta(seconds=seconds)).isoformat(" ", "microseconds")
