"""Sockets of ws-hub, through both transports."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness.chat import Chat
from harness.pool import ServerPool, lend
from harness.siblings import SETTINGS, Account, Sibling
from harness.sockets import ChatSocket
from harness.stores import Store


class HubSocket(ChatSocket):
    """One socket; frames are ``{"type", "payload"}``."""

    def say_frame(self, kind: str, **payload: Any) -> None:
        self.send({"type": kind, "payload": payload})

    def expect_frame(self, kind: str) -> dict[str, Any]:
        frame = json.loads(self.receive_text())
        assert list(frame) == ["type", "payload"], frame
        assert frame["type"] == kind, f"expected {kind}, got {frame}"
        payload = frame["payload"]
        assert isinstance(payload, dict)
        return payload

    def expect_error(self, message: str, kind: str = "ERROR") -> None:
        assert self.expect_frame(kind) == {"message": message}

    def expect_nothing(self) -> None:
        """The next frame is the answer to something said now."""
        self.say_frame("LEAVE_ROOM", roomId="marker")
        assert self.expect_frame("ROOM_LEFT") == {"roomId": "marker"}

    def log_in(self, account: Account, kind: str = "AUTHENTICATE", answer: str = "AUTHENTICATED") -> list[str]:
        self.say_frame(kind, token=account.token)
        assert self.expect_frame(answer) == {"userId": account.id, "username": account.username}
        users = self.expect_frame("ONLINE_USERS")["userIds"]
        assert isinstance(users, list)
        return users

    def join(self, room: str) -> None:
        self.say_frame("JOIN_ROOM", roomId=room)
        assert self.expect_frame("ROOM_JOINED") == {"roomId": room}


class Hub(Sibling):
    """ws-hub with its sockets; every test has its own server, because presence is of the whole system."""

    def open(self, path: str = "/compat/ws-hub", **options: Any) -> HubSocket:
        base = "ws" + self.chat.server.base_url.removeprefix("http")
        socket = HubSocket.open(base + path, self.chat.context, **options)
        self.chat.sockets.append(socket)
        return socket

    def enter(self, account: Account, *others: HubSocket) -> HubSocket:
        """Log in; ``others`` read that somebody came."""
        socket = self.open()
        socket.log_in(account)
        for other in others:
            assert other.expect_frame("USER_ONLINE") == {"userId": account.id, "username": account.username}
        return socket

    def enter_seed(self, account: Account, *others: HubSocket) -> HubSocket:
        socket = self.open()
        socket.log_in(account, "AUTH", "AUTH_SUCCESS")
        for other in others:
            assert other.expect_frame("USER_ONLINE")["userId"] == account.id
        return socket

    def room(self, creator: Account, *others: Account, kind: str = "group") -> str:
        body = {"type": kind, "name": "Team", "participantIds": [other.id for other in others]}
        answer = self.post("/api/rooms", creator.token, json=body)
        assert answer.status_code == 201, answer.text
        room_id = answer.json()["id"]
        assert isinstance(room_id, str)
        return room_id


@pytest.fixture(params=["handoff-sqlite", "handoff-postgres", "asgi-sqlite"])
def live(request: pytest.FixtureRequest, shared_servers: ServerPool) -> Iterator[Hub]:
    """A service whose sockets nobody else uses: they are gone before the next test."""
    transport, kind = request.param.split("-")
    yield from lend_hub(shared_servers, kind, transport)


@pytest.fixture
def live_on_postgres(shared_servers: ServerPool) -> Iterator[Hub]:
    """The same on the database whose readers can be held up."""
    yield from lend_hub(shared_servers, "postgres", "handoff")


def lend_hub(pool: ServerPool, kind: str, transport: str) -> Iterator[Hub]:
    """Lend a service to one test."""
    for chat in lend(pool, kind, transport, "hub sockets", SETTINGS):
        yield Hub(chat, "ws-hub")
        end_all(chat)


@pytest.fixture(params=["folder-sqlite", "bucket-postgres"])
def store_and_database(request: pytest.FixtureRequest) -> tuple[str, str]:
    kind, database = request.param.split("-")
    return kind, database


@pytest.fixture
def store(store_and_database: tuple[str, str], stores: dict[str, Store]) -> Store:
    """Where ``images`` keeps them."""
    return stores[store_and_database[0]]


@pytest.fixture
def images(store_and_database: tuple[str, str], store: Store, shared_servers: ServerPool) -> Iterator[Hub]:
    """A service with a store; in one of these tests each database meets one of the two kinds."""
    settings = {**SETTINGS, **store.settings}
    for chat in lend(shared_servers, store_and_database[1], purpose="hub images", settings=settings):
        yield Hub(chat, "ws-hub")
        end_all(chat)


def end_all(chat: Chat) -> None:
    """Close every socket and wait until the service has noticed."""
    hub = Hub(chat, "ws-hub")
    mine = list(chat.sockets)
    chat.close_sockets()
    if not mine:
        return
    account = hub.account("watcher")
    with contextlib.closing(hub.open()) as watcher:
        left = set(watcher.log_in(account)) - {account.id}
        while left:
            frame = json.loads(watcher.receive_text())
            if frame["type"] == "USER_OFFLINE":
                left.discard(frame["payload"]["userId"])
    chat.sockets.clear()
