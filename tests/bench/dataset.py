"""Users, rooms and messages for the servers, and the tokens of the users.

Rows go in by SQL and tokens are signed here: registering thousands of users would take minutes of bcrypt, which no
scenario is about. The service has made the tables before.
"""

import base64
import hashlib
import hmac
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

SECRET_KEY = "only-for-the-benchmark-0123456789abcdef"
TOKEN_SECONDS = 3600
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "while",
    "nobody",
    "in",
    "this",
    "room",
    "is",
    "looking",
    "at",
    "it",
]


@dataclass(frozen=True)
class Dataset:
    """The database of one server."""

    path: Path

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make a server use it."""
        return {"DATABASE_URL": f"sqlite:///{self.path}", "SECRET_KEY": SECRET_KEY}

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
        self._insert(
            "insert into users (id, username, email, hashed_password, full_name, is_active, created_at, updated_at)"
            " values (?, ?, ?, '!', ?, true, ?, ?)",
            rows,
        )

    def add_room(self, room_id: int, members: range) -> None:
        """A public room; its first member owns it."""
        name = f"Room {room_id}"
        self._insert(
            "insert into rooms (id, name, description, is_private, owner_id, created_at)"
            " values (?, ?, 'A room like others', false, ?, ?)",
            [(room_id, name, members.start, _time(room_id))],
        )
        self._insert("insert into user_rooms (user_id, room_id) values (?, ?)", [(user, room_id) for user in members])

    def add_messages(self, room_id: int, members: range, count: int) -> None:
        """Messages of the members in turn."""
        rows = [
            (" ".join(WORDS[: 4 + index % 13]), members[index % len(members)], room_id, _time(1000 + index))
            for index in range(count)
        ]
        self._insert("insert into messages (content, sender_id, room_id, created_at) values (?, ?, ?, ?)", rows)

    def copy_to(self, path: Path) -> "Dataset":
        """The same data in another file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
        return Dataset(path)

    def _insert(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.executemany(statement, rows)


def user_name(user_id: int) -> str:
    """The name of a user, of the same length for all."""
    return f"user{user_id:05}"


def sign_token(user_id: int) -> str:
    """A token as the service issues it (RFC 7519, HS256)."""
    claims = {"sub": user_name(user_id), "exp": int(time.time()) + TOKEN_SECONDS}
    signed = f"{_encode_json({'alg': 'HS256', 'typ': 'JWT'})}.{_encode_json(claims)}"
    signature = hmac.new(SECRET_KEY.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encode(signature)}"


def _encode_json(value: dict[str, object]) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _time(seconds: int) -> str:
    """As the service stores it in SQLite."""
    return (START + timedelta(seconds=seconds)).isoformat(" ", "microseconds")
