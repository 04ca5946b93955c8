"""What must hold of everything that clients saw and the database kept: the checker of the schedules.

Pure: records in, violations out. ``test_history.py`` plants each violation and looks whether it is found.
"""

from collections import Counter
from dataclasses import dataclass, field

Place = int
MessageId = int


@dataclass(frozen=True)
class Message:
    """A message as somebody saw it. Contents are unique within a room: they are the names of the messages."""

    seq: Place
    id: MessageId
    content: str


@dataclass
class ClientRecord:
    """What one client did and saw in its room, over all its connections.

    Args:
        sent: the names of the messages it sent, whatever became of them.
        acknowledged: what it was told of them, over the socket or over REST, each time.
        seen: the messages in the order in which they came.
        resumes: how often it came back, by whether the answer was complete.
        gaps: how often it noticed a gap and asked.
    """

    name: str
    sent: list[str] = field(default_factory=list)
    acknowledged: list[Message] = field(default_factory=list)
    seen: list[Message] = field(default_factory=list)
    resumes: Counter[bool] = field(default_factory=Counter)
    gaps: int = 0


@dataclass
class RoomRecord:
    """The clients of a room, and what the database has in the end, by place."""

    stored: list[Message]
    clients: list[ClientRecord]


def violations(room: RoomRecord) -> list[str]:
    """What is wrong, one line each."""
    return [*_of_the_store(room), *(line for client in room.clients for line in _of_a_client(room, client))]


def _of_the_store(room: RoomRecord) -> list[str]:
    found = []
    places = [message.seq for message in room.stored]
    if places != list(range(1, len(places) + 1)):
        found.append(f"stored: places have gaps or repeat: {_excerpt(places)}")
    ids = [message.id for message in room.stored]
    if len(set(ids)) != len(ids):
        found.append("stored: an id appears twice")
    found += [
        f"stored {count} times: {content}"
        for content, count in Counter(message.content for message in room.stored).items()
        if count > 1
    ]
    sent = {name for client in room.clients for name in client.sent}
    found += [f"stored but never sent: {message.content}" for message in room.stored if message.content not in sent]
    return found


def _of_a_client(room: RoomRecord, client: ClientRecord) -> list[str]:
    stored = {message.content: message for message in room.stored}
    found = []
    for message in client.acknowledged:
        kept = stored.get(message.content)
        if kept is None:
            found.append(f"{client.name}: acknowledged but missing: {message}")
        elif kept != message:
            found.append(f"{client.name}: acknowledged as {message}, stored as {kept}")
    acknowledged = {message.content for message in client.acknowledged}
    found += [f"{client.name}: never acknowledged: {name}" for name in client.sent if name not in acknowledged]
    if client.seen != room.stored:
        found.append(f"{client.name}: {_difference(client.seen, room.stored)}")
    return found


def _difference(seen: list[Message], stored: list[Message]) -> str:
    for index, (one, other) in enumerate(zip(seen, stored, strict=False)):
        if one != other:
            return f"at {index} saw {one}, stored is {other}"
    return f"saw {len(seen)} messages of {len(stored)}"


def _excerpt(places: list[Place]) -> str:
    wrong = next(index for index, place in enumerate(places) if place != index + 1)
    return f"… {places[max(0, wrong - 2) : wrong + 3]} …"
