"""The sibling systems as their clients see them: a mount of a running service, and accounts for it.

Accounts are inserted by SQL with a cheap hash, for the reason ``harness.chat`` gives.
"""

import itertools
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from harness import tokens
from harness.chat import PASSWORD, PASSWORD_HASH, Chat, unique

MEETINGS_SECRET = "the-secret-of-the-user-back-end-0123456789"
WS_HUB_SECRET = "the-secret-of-the-hub-of-the-suite-0123456789"
WEBRTC_SECRET = "the-secret-of-signalling-in-the-suite-0123456789"
LIVEKIT_KEY = "APItestkey"
LIVEKIT_SECRET = "the-secret-of-the-media-server-0123456789"
LIVEKIT_URL = "wss://media.example.com/"

SETTINGS = {
    "MEETINGS_JWT_SECRET": MEETINGS_SECRET,
    "WS_HUB_JWT_SECRET": WS_HUB_SECRET,
    "WEBRTC_JWT_SECRET": WEBRTC_SECRET,
    "LIVEKIT_URL": LIVEKIT_URL,
    "LIVEKIT_API_KEY": LIVEKIT_KEY,
    "LIVEKIT_API_SECRET": LIVEKIT_SECRET,
    "FRONTEND_URL": "http://front.example/",
    "CLIENT_URL": "http://client.example, http://second.example/",
}
SECRETS = {"ws-hub": WS_HUB_SECRET, "webrtc": WEBRTC_SECRET}
WEEK_SECONDS = 7 * 24 * 60 * 60
UNKNOWN_ID = "0123456789abcdef01234567"

_counter = itertools.count(1)


@dataclass(frozen=True)
class Account:
    """An account of ws-hub or webrtc, and a token for it."""

    id: str
    username: str
    email: str
    token: str
    password: str = PASSWORD

    @property
    def person(self) -> dict[str, str]:
        """How others see it."""
        return {"username": self.username, "id": self.id}


@dataclass(frozen=True)
class Sibling:
    """One sibling system of a running service."""

    chat: Chat
    system: str

    @property
    def mount(self) -> str:
        """The path below which it is served."""
        return f"/compat/{self.system}"

    def call(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """Send a request below the mount."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.chat.http.request(method, self.mount + path, headers=headers, **options)

    def get(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """GET."""
        return self.call("GET", path, token, **options)

    def post(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """POST."""
        return self.call("POST", path, token, **options)

    def put(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """PUT."""
        return self.call("PUT", path, token, **options)

    def account(self, name: str = "ana") -> Account:
        """Insert an account by SQL and sign a token for it."""
        account_id = new_object_id()
        username = unique(name)
        email = f"{username}@example.com".lower()
        database = self.chat.database
        database.rows(
            "insert into compat_accounts "
            "(system, public_id, username, search_name, email, hashed_password, created_at) "
            "values (?, ?, ?, ?, ?, ?, ?)",
            self.system,
            account_id,
            username,
            username.lower(),
            email,
            PASSWORD_HASH,
            database.now(),
        )
        return Account(account_id, username, email, self.sign(account_id, username))

    def accounts(self, *names: str) -> list[Account]:
        """Several accounts."""
        return [self.account(name) for name in names]

    def sign(self, account_id: str, username: str, **claims: object) -> str:
        """A token as the service issues it, with claims changed or, where None is given, left out."""
        now = int(time.time())
        every = {
            "userId": account_id,
            "id": account_id,
            "username": username,
            "realm": self.system,
            "iat": now,
            "exp": now + WEEK_SECONDS,
            **claims,
        }
        kept = {name: value for name, value in every.items() if value is not None}
        return tokens.sign(kept, SECRETS[self.system])

    def store_messages(self, room_id: str, sender: Account, contents: list[str], at: object = None) -> list[str]:
        """Insert messages by SQL, all of the same time, and give their ids."""
        database = self.chat.database
        key = database.value("select id from compat_rooms where public_id = ?", room_id)
        time_of_all = database.now() if at is None else at
        ids = [new_object_id() for _ in contents]
        database.many(
            "insert into compat_messages (public_id, room_id, sender_id, sender_name, content, created_at) "
            "values (?, ?, ?, ?, ?, ?)",
            [
                (message_id, key, sender.id, sender.username, content, time_of_all)
                for message_id, content in zip(ids, contents, strict=True)
            ],
        )
        return ids


def new_object_id() -> str:
    """24 hex characters that sort by time."""
    return f"{int(time.time()):08x}{secrets.token_hex(5)}{next(_counter):06x}"


def external_token(secret: str = MEETINGS_SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """A token of the user back end that meetings trust."""
    return tokens.sign(claims, secret, algorithm)


def is_error(answer: httpx.Response, status: int, body: Mapping[str, object]) -> bool:
    """Whether an answer is exactly this one; fails with both otherwise."""
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers["content-type"].startswith("application/json")
    return True
