//! What connections that come back get.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chat_hub::{
    ChangePublication, Hub, LoadedChange, LoadedChanges, LoadedTail, Publication, Resume, Wishes,
};
use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use chat_protocol::{EventKinds, Position};

use crate::fixture::{Client, hub, join, join_with, text};

const ROOM: RoomId = RoomId(1);

fn position(seq: i64) -> Position {
    Position {
        seq: Seq(seq),
        change: None,
    }
}

fn resume(since: i64, loaded: Option<std::ops::RangeInclusive<i64>>) -> Resume {
    Resume {
        since: position(since),
        loaded: loaded.map(|places| LoadedTail {
            last: Seq(*places.end()),
            frames: places.map(|place| text(&place.to_string())).collect(),
            changes: None,
        }),
        history: "there".to_owned(),
        changes: String::new(),
    }
}

fn come_back(hub: &Hub, user: i32, room: i32, resume: Resume) -> Client {
    let wishes = Wishes {
        resume: Some(resume),
        ..Wishes::default()
    };
    join_with(hub, user, room, wishes)
}

async fn publish(hub: &Hub, seq: i64) {
    let permit = hub.admit(ROOM, 1).await;
    let publication = Publication {
        seq: Some(Seq(seq)),
        frame: text(&seq.to_string()),
        own: None,
    };
    hub.publish(ROOM, publication, permit);
}

/// Reads as far as `resumed`, which must say that.
fn resumed(client: &mut Client, from: i64, to: i64, complete: bool) {
    loop {
        let frame = client.json();
        if frame["type"] == "resumed" {
            assert_eq!(
                (&frame["from"], &frame["to"], &frame["complete"]),
                (&from.into(), &to.into(), &complete.into()),
            );
            assert_eq!(frame.get("history").is_some(), !complete);
            return;
        }
    }
}

/// The places of the next messages; announcements are passed over.
fn places(client: &mut Client, count: usize) -> Vec<i64> {
    let mut places = Vec::new();
    while places.len() < count {
        let frame = client.json();
        if let Some(place) = frame["message"].as_str().and_then(|text| text.parse().ok()) {
            places.push(place);
        }
    }
    places
}

#[tokio::test]
async fn what_was_missed_comes_before_what_is_new() {
    let hub = hub(1 << 20);
    let mut client = come_back(&hub, 1, 1, resume(2, Some(1..=5)));
    publish(&hub, 6).await;
    resumed(&mut client, 2, 5, true);
    assert_eq!(places(&mut client, 4), [3, 4, 5, 6]);
}

#[tokio::test]
async fn the_next_one_needs_no_database() {
    let hub = hub(1 << 20);
    let _first = come_back(&hub, 1, 1, resume(2, Some(1..=5)));
    publish(&hub, 6).await;
    assert!(!hub.needs_tail(ROOM, position(0)));
    let mut second = come_back(&hub, 2, 1, resume(4, None));
    resumed(&mut second, 4, 6, true);
    assert_eq!(places(&mut second, 2), [5, 6]);
}

#[tokio::test]
async fn what_was_replayed_before_it_is_published_comes_once() {
    let hub = hub(1 << 20);
    let mut other = join(&hub, 2, 1);
    // Stored already and so in the database; on its way to the hub.
    let mut client = come_back(&hub, 1, 1, resume(4, Some(3..=6)));
    publish(&hub, 6).await;
    publish(&hub, 7).await;
    resumed(&mut client, 4, 6, true);
    assert_eq!(places(&mut client, 3), [5, 6, 7]);
    assert_eq!(places(&mut other, 2), [6, 7]);
}

#[tokio::test]
async fn a_held_room_keeps_what_is_published_though_nobody_is_there() {
    let hub = hub(1 << 20);
    let hold = hub.hold_room(ROOM);
    publish(&hub, 6).await;
    let mut client = come_back(&hub, 1, 1, resume(3, Some(1..=5)));
    drop(hold);
    resumed(&mut client, 3, 6, true);
    assert_eq!(places(&mut client, 3), [4, 5, 6]);
}

#[tokio::test]
async fn a_hold_that_ends_leaves_nothing_behind() {
    let hub = hub(1 << 20);
    drop(hub.hold_room(ROOM));
    publish(&hub, 6).await;
    assert!(hub.needs_tail(ROOM, position(5)));
}

#[tokio::test]
async fn too_much_to_replay_is_said() {
    let hub = hub(1 << 20);
    // The hub of the tests keeps a hundred.
    let mut client = come_back(&hub, 1, 1, resume(2, Some(1..=200)));
    publish(&hub, 201).await;
    resumed(&mut client, 2, 200, false);
    assert_eq!(places(&mut client, 1), [201]);

    let mut unknown = come_back(&hub, 2, 2, resume(9, None));
    resumed(&mut unknown, 9, 9, false);
    let mut ahead = come_back(&hub, 3, 1, resume(500, None));
    resumed(&mut ahead, 500, 201, false);
}

#[tokio::test]
async fn an_open_connection_can_ask() {
    let hub = hub(1 << 20);
    let mut other = join(&hub, 2, 1);
    let mut client = join(&hub, 1, 1);
    publish(&hub, 6).await;
    assert_eq!(places(&mut client, 1), [6]);
    hub.resume(client.connection, resume(3, Some(1..=6)));
    publish(&hub, 7).await;
    resumed(&mut client, 3, 6, true);
    assert_eq!(places(&mut client, 4), [4, 5, 6, 7]);
    assert_eq!(places(&mut other, 2), [6, 7]);
}

#[tokio::test]
async fn what_an_open_connection_was_replayed_does_not_come_live() {
    let hub = hub(1 << 20);
    let mut other = join(&hub, 2, 1);
    let mut client = join(&hub, 1, 1);
    // Stored already and so in the database; on its way to the hub.
    hub.resume(client.connection, resume(3, Some(1..=6)));
    for place in 5..=7 {
        publish(&hub, place).await;
    }
    resumed(&mut client, 3, 6, true);
    assert_eq!(places(&mut client, 4), [4, 5, 6, 7]);
    assert_eq!(places(&mut other, 3), [5, 6, 7], "nobody else has asked");
    // Again, and further.
    hub.resume(client.connection, resume(7, Some(1..=9)));
    for place in 8..=10 {
        publish(&hub, place).await;
    }
    resumed(&mut client, 7, 9, true);
    assert_eq!(places(&mut client, 3), [8, 9, 10]);
    assert_eq!(places(&mut other, 3), [8, 9, 10]);
}

#[tokio::test]
async fn what_an_open_connection_reads_in_the_history_does_not_come_live() {
    let hub = hub(1 << 20);
    let mut client = join(&hub, 1, 1);
    // More than the hub of the tests keeps.
    hub.resume(client.connection, resume(2, Some(1..=200)));
    publish(&hub, 200).await;
    publish(&hub, 201).await;
    resumed(&mut client, 2, 200, false);
    assert_eq!(places(&mut client, 1), [201]);
}

#[tokio::test]
async fn changes_that_an_open_connection_was_replayed_do_not_come_live() {
    let hub = hub(1 << 20);
    let wishes = Wishes {
        events: EventKinds::from_list("changes"),
        ..Wishes::default()
    };
    let mut client = join_with(&hub, 1, 1, wishes);
    let mut asked = resume(5, Some(1..=5));
    asked.since.change = Some(Change(1));
    if let Some(loaded) = &mut asked.loaded {
        loaded.changes = Some(changes(1..=3));
    }
    hub.resume(client.connection, asked);
    for place in 2..=4 {
        publish_change(&hub, place).await;
    }
    let expected = serde_json::json!({"from": 1, "to": 3, "complete": true});
    assert_eq!(resumed_changes(&mut client), expected);
    assert_eq!(places(&mut client, 3), [1002, 1003, 1004]);
}

#[tokio::test]
async fn the_sender_may_get_a_form_of_its_own() {
    let hub = hub(1 << 20);
    let mut sender = join(&hub, 1, 1);
    let mut second = join(&hub, 1, 1);
    let mut other = join(&hub, 2, 1);
    let permit = hub.admit(ROOM, 1).await;
    let publication = Publication {
        seq: Some(Seq(1)),
        frame: text("1"),
        own: Some((UserId(1), text("1001"))),
    };
    hub.publish(ROOM, publication, permit);
    publish(&hub, 2).await;
    assert_eq!(places(&mut sender, 2), [1001, 2]);
    assert_eq!(places(&mut second, 2), [1001, 2]);
    assert_eq!(places(&mut other, 2), [1, 2]);
}

/// Connections come back at any moment; a message is in the database a while before
/// it is published, and what is loaded is a while old when its reader joins.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_or_doubled_at_any_moment() {
    const LAST: i64 = 600;
    const LOADED: i64 = 50;
    let hub = hub(1 << 22);
    let stored = Arc::new(AtomicI64::new(0));
    let publisher = {
        let (hub, stored) = (hub.clone(), Arc::clone(&stored));
        tokio::spawn(async move {
            for place in 1..=LAST {
                stored.store(place, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_micros(200)).await;
                publish(&hub, place).await;
            }
        })
    };
    let mut clients = Vec::new();
    while !publisher.is_finished() {
        let hold = hub.hold_room(ROOM);
        let newest = stored.load(Ordering::SeqCst);
        let since = (newest - i64::try_from(clients.len() % 60).unwrap()).max(0);
        let loaded = hub
            .needs_tail(ROOM, position(since))
            .then(|| (newest - LOADED + 1).max(1)..=newest);
        tokio::time::sleep(Duration::from_micros(500)).await;
        let user = i32::try_from(clients.len()).unwrap() + 1;
        clients.push(come_back(&hub, user, 1, resume(since, loaded)));
        drop(hold);
    }
    publisher.await.unwrap();
    publish(&hub, LAST + 1).await;
    assert!(!clients.is_empty());
    for client in &mut clients {
        let resumed = loop {
            let frame = client.json();
            if frame["type"] == "resumed" {
                break frame;
            }
        };
        let start = if resumed["complete"] == true {
            &resumed["from"]
        } else {
            &resumed["to"]
        };
        for place in start.as_i64().unwrap() + 1..=LAST + 1 {
            assert_eq!(places(client, 1), [place]);
        }
    }
}

/// So many changes, each of the message of the same place.
fn changes(places: std::ops::RangeInclusive<i64>) -> LoadedChanges {
    LoadedChanges {
        last: Change(*places.end()),
        after: Change(0),
        changes: places.map(change).collect(),
    }
}

fn change(place: i64) -> LoadedChange {
    LoadedChange {
        change: Change(place),
        seq: Seq(place),
        // Told from messages by a thousand.
        frame: text(&(1000 + place).to_string()),
    }
}

async fn publish_change(hub: &Hub, place: i64) {
    let permit = hub.admit(ROOM, 1).await;
    let LoadedChange { change, seq, frame } = change(place);
    let publication = ChangePublication {
        change,
        seq,
        frame,
        message: text(&(2000 + place).to_string()),
    };
    hub.publish_change(ROOM, publication, permit);
}

fn come_back_asking(hub: &Hub, user: i32, since: (i64, i64), loaded: Option<LoadedTail>) -> Client {
    let resume = Resume {
        since: Position {
            seq: Seq(since.0),
            change: Some(Change(since.1)),
        },
        loaded,
        history: String::new(),
        changes: "there".to_owned(),
    };
    let wishes = Wishes {
        events: EventKinds::from_list("changes"),
        resume: Some(resume),
        ..Wishes::default()
    };
    join_with(hub, user, 1, wishes)
}

fn resumed_changes(client: &mut Client) -> serde_json::Value {
    loop {
        let mut frame = client.json();
        if frame["type"] == "resumed" {
            return frame["changes"].take();
        }
    }
}

#[tokio::test]
async fn changes_follow_the_messages_and_come_once() {
    let hub = hub(1 << 20);
    let mut other = join(&hub, 9, 1);
    let loaded = LoadedTail {
        changes: Some(changes(1..=3)),
        ..resume(0, Some(1..=5)).loaded.unwrap()
    };
    let mut client = come_back_asking(&hub, 1, (4, 1), Some(loaded));
    // Stored already and so in the database; on its way to the hub.
    publish_change(&hub, 3).await;
    publish_change(&hub, 4).await;
    publish(&hub, 6).await;
    let expected = serde_json::json!({"from": 1, "to": 3, "complete": true});
    assert_eq!(resumed_changes(&mut client), expected);
    assert_eq!(places(&mut client, 5), [5, 1002, 1003, 1004, 6]);
    assert_eq!(places(&mut other, 1), [6], "it has not asked");
    // From memory, where the messages are as they are now.
    assert!(!hub.needs_tail(ROOM, position(2)));
    let mut second = come_back_asking(&hub, 2, (2, 3), None);
    resumed_changes(&mut second);
    assert_eq!(places(&mut second, 5), [2003, 2004, 5, 6, 1004]);
}

#[tokio::test]
async fn changes_that_are_not_known_are_read_elsewhere() {
    let hub = hub(1 << 20);
    let loaded = resume(0, Some(1..=5)).loaded;
    let mut client = come_back_asking(&hub, 1, (5, 7), loaded);
    let expected = serde_json::json!({"from": 7, "to": 7, "complete": false, "history": "there"});
    assert_eq!(resumed_changes(&mut client), expected);
    hub.forget_tail(ROOM);
    assert!(hub.needs_tail(ROOM, position(4)));
}

#[tokio::test]
async fn whoever_is_ahead_of_what_is_kept_has_it_loaded() {
    let hub = hub(1 << 20);
    let _client = come_back(&hub, 1, 1, resume(2, Some(1..=3)));
    for (since, is_loaded) in [(0, false), (3, false), (4, true), (9, true)] {
        assert_eq!(hub.needs_tail(ROOM, position(since)), is_loaded, "{since}");
    }
    hub.shut_down(Duration::ZERO).await;
}
