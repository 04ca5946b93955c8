"""The checker itself: it finds each violation that is planted, and nothing in a good record."""

import dataclasses
from collections.abc import Callable

import pytest
from reliability.history import ClientRecord, Message, RoomRecord, violations


def good() -> RoomRecord:
    stored = [Message(seq, 10 + seq, f"m{seq}") for seq in range(1, 6)]
    writer = ClientRecord("writer", [message.content for message in stored], list(stored), list(stored))
    return RoomRecord(list(stored), [writer, ClientRecord("reader", seen=list(stored))])


def changed(record: RoomRecord, index: int, **change: object) -> None:
    record.stored[index] = dataclasses.replace(record.stored[index], **change)  # type: ignore[arg-type]


PLANTED: dict[str, Callable[[RoomRecord], object]] = {
    "places have gaps": lambda record: record.stored.pop(2),
    "an id appears twice": lambda record: changed(record, 3, id=11),
    "stored 2 times: m1": lambda record: changed(record, 3, content="m1"),
    "stored but never sent: m9": lambda record: changed(record, 4, content="m9"),
    "acknowledged but missing": lambda record: record.stored.pop(),
    "acknowledged as": lambda record: record.clients[0].acknowledged.append(Message(1, 99, "m1")),
    "never acknowledged: m6": lambda record: record.clients[0].sent.append("m6"),
    "reader: at 1 saw": lambda record: record.clients[1].seen.insert(1, record.stored[0]),
    "reader: at 3 saw": lambda record: record.clients[1].seen.pop(3),
    "reader: saw 4 messages of 5": lambda record: record.clients[1].seen.pop(),
    "reader: at 0 saw": lambda record: record.clients[1].seen.reverse(),
}


def test_a_good_record_passes() -> None:
    assert violations(good()) == []


@pytest.mark.parametrize("line", PLANTED)
def test_a_planted_violation_is_found(line: str) -> None:
    record = good()
    PLANTED[line](record)
    assert any(line in found for found in violations(record)), violations(record)
