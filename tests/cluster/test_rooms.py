"""A room whose readers are at several processes: section 6 of the contract, whoever serves the socket."""

import threading
from typing import Any

from harness.chat import Chat, User
from harness.waiting import wait_until

JOINED, LEFT = "user_joined", "user_left"


def test_messages_reach_the_readers_of_both(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    room = one.room(ana)
    at_one = one.connect(room, ana)
    # Presence reaches the other process a moment later.
    wait_until(lambda: other.online(room, ana) == [ana.id], "ana to be seen")
    at_other = other.connect(room, beto, welcomed=False)
    assert at_other.expect("welcome")["room_id"] == room
    online = at_other.expect("users_online")
    assert (sorted(online["users"]), online["count"]) == (sorted([ana.id, beto.id]), 2)
    assert at_one.expect(JOINED)["user_id"] == beto.id
    at_one.say("de ana")
    at_other.say("de beto")
    seen = [[socket.expect("message") for _ in range(2)] for socket in (at_one, at_other)]
    assert seen[0] == seen[1]
    assert [frame["seq"] for frame in seen[0]] == [1, 2]
    by_rest = other.say(room, ana, "por REST")
    assert at_one.expect("message")["id"] == at_other.expect("message")["id"] == by_rest["id"]


def test_one_order_for_all_readers_whoever_writes_where(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    room = one.room(ana)
    writers = [one.connect(room, ana), other.connect(room, beto)]
    writers[0].expect(JOINED)
    readers = [process.connect(room, user) for process, user in zip(processes, (ana, beto), strict=True)]

    def write(number: int) -> None:
        for count in range(100):
            writers[number].say(f"{number}:{count}")

    threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [[socket.expect("message") for _ in range(200)] for socket in (*writers, *readers)]
    assert all(frames == seen[0] for frames in seen)
    assert [frame["seq"] for frame in seen[0]] == list(range(1, 201))
    stored = one.history(room, ana)
    assert [frame["id"] for frame in seen[0]] == [message["id"] for message in stored]


def test_a_message_is_stored_once_whichever_process_gets_it(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    room = one.room(ana)
    reader = other.connect(room, beto)
    socket = one.connect(room, ana)
    reader.expect(JOINED)
    own_elsewhere = other.connect(room, ana)
    socket.say("una vez", client_id="c-1")
    assert socket.expect("message")["client_id"] == "c-1"
    ack = socket.expect("ack")
    assert own_elsewhere.expect("message")["client_id"] == "c-1", "the sender's sockets everywhere are told"
    assert "client_id" not in reader.expect("message")
    own_elsewhere.say("una vez", client_id="c-1")
    assert own_elsewhere.expect("ack") == ack
    again = other.post(
        f"/api/rooms/{room}/messages", ana, json={"content": "una vez"}, headers={"Idempotency-Key": "c-1"}
    )
    assert again.json()["id"] == ack["id"]
    assert len(one.history(room, ana)) == 1


def test_typing_and_changes_and_markers(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    room = one.room(ana)
    at_one = one.connect(room, ana, events="changes,read,typing")
    at_other = other.connect(room, beto, events="changes,read,typing")
    at_one.expect(JOINED)
    also_ana = other.connect(room, ana, events="read")
    at_one.send({"type": "typing", "typing": True})
    typing = at_other.expect("typing")
    assert (typing["user_id"], typing["username"], typing["typing"]) == (ana.id, ana.username, True)
    at_one.send({"type": "typing", "typing": False})
    assert at_other.expect("typing")["typing"] is False
    message = one.say(room, ana, "antes")
    for socket in (at_one, at_other, also_ana):
        assert socket.expect("message")["id"] == message["id"]
    other.edit(room, ana, message["id"], "después")
    edited = [socket.expect("message_edited") for socket in (at_one, at_other)]
    assert edited[0] == edited[1]
    assert (edited[0]["content"], edited[0]["change"]) == ("después", 1)
    one.delete(room, ana, message["id"])
    assert at_other.expect("message_deleted") == at_one.expect("message_deleted")
    at_one.send({"type": "read", "seq": 1})
    assert also_ana.expect("read")["seq"] == 1


def test_coming_back_at_another_process(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    room = one.room(ana)
    socket = one.connect(room, beto)
    first = one.say(room, ana, "1")
    assert socket.expect("message")["id"] == first["id"]
    socket.close()
    missed = [process.say(room, ana, "x")["id"] for process in (one, other, one)]
    back = other.connect(room, beto, since=1)
    resumed = back.expect("resumed")
    assert (resumed["from"], resumed["to"], resumed["complete"]) == (1, 4, True)
    assert [back.expect("message")["id"] for _ in missed] == missed
    live = one.say(room, ana, "en vivo")
    assert back.expect("message")["id"] == live["id"]


def test_what_is_published_while_somebody_comes_in_is_not_missed(processes: list[Chat], people: list[User]) -> None:
    (one, other), (ana, beto) = processes, people
    room = one.room(ana)
    writer = one.connect(room, ana)
    stop = threading.Event()
    said = 0

    def write() -> None:
        nonlocal said
        while not stop.is_set():
            writer.say("x")
            writer_saw = next_message(writer)
            said = writer_saw["seq"]

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(10):
            wait_until(lambda before=said: said > before, "more messages")
            before = said
            reader = other.connect(room, beto, since=before)
            assert reader.expect("resumed")["complete"]
            seen = [reader.expect("message")["seq"] for _ in range(20)]
            assert seen == list(range(before + 1, before + 21))
            fresh = other.connect(room, beto)
            places = [fresh.expect("message")["seq"] for _ in range(5)]
            assert places == list(range(places[0], places[0] + 5))
            reader.close()
            fresh.close()
    finally:
        stop.set()
        thread.join()


def next_message(socket: Any) -> dict[str, Any]:
    """The next message, whatever else comes."""
    while True:
        frame: dict[str, Any] = socket.receive()
        if frame["type"] == "message":
            return frame
