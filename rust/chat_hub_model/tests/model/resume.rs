//! Connections that come back: what was missed and what is live neither overlap nor
//! leave a gap.

use std::sync::Arc;

use chat_hub_model::{Hub, LoadedTail, Resume};
use chat_protocol::Position;
use chat_protocol::ids::Seq;
use shuttle::sync::atomic::{AtomicI64, Ordering};
use shuttle::thread;

use crate::fixture::{
    Client, Database, ROOM, Reading, Seen, check, come_back, hub, join, places, shut_down, text,
};

const LAST: i64 = 4;

/// What the database had a while ago.
fn load(newest: i64) -> LoadedTail {
    LoadedTail {
        last: Seq(newest),
        frames: (1..=newest).map(|place| text(&place.to_string())).collect(),
        changes: None,
    }
}

fn resume(hub: &Hub, stored: &AtomicI64, since: i64) -> Resume {
    let newest = stored.load(Ordering::SeqCst);
    let since = Position {
        seq: Seq(since),
        change: None,
    };
    Resume {
        since,
        loaded: hub.needs_tail(ROOM, since).then(|| load(newest)),
        history: String::new(),
        changes: String::new(),
    }
}

fn comes_back(hub: &Hub, stored: &AtomicI64, user: i32) -> (i64, Client) {
    let since = stored.load(Ordering::SeqCst);
    let hold = hub.hold_room(ROOM);
    let resume = resume(hub, stored, since.saturating_sub(1).max(0));
    let since = resume.since.seq.0;
    let client = come_back(hub, user, Reading::Socket, Some(resume));
    drop(hold);
    (since, client)
}

/// The places behind the last `resumed`, and that frame's `from` and `to`.
fn after_resumed(seen: &[Seen]) -> (i64, i64, Vec<i64>) {
    let (index, resumed) = seen
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, seen)| match seen {
            Seen::Frame(frame) if frame["type"] == "resumed" => Some((index, frame)),
            _ => None,
        })
        .expect("a frame `resumed`");
    let place = |key: &str| resumed[key].as_i64().expect("a place");
    let start = if resumed["complete"] == true {
        "from"
    } else {
        "to"
    };
    (place(start), place("to"), places(&seen[index..]))
}

#[test]
fn nothing_is_missed_or_doubled() {
    check(|| {
        let hub = hub(1 << 20);
        let stored = Arc::new(AtomicI64::new(0));
        let writer = {
            let (hub, stored) = (hub.clone(), Arc::clone(&stored));
            thread::spawn(move || {
                let database = Database::default();
                for _ in 1..=LAST {
                    database.store(&hub, |place| stored.store(place, Ordering::SeqCst));
                }
            })
        };
        let comers = [1, 2].map(|user| {
            let (hub, stored) = (hub.clone(), Arc::clone(&stored));
            thread::spawn(move || comes_back(&hub, &stored, user))
        });
        let clients = comers.map(|comer| comer.join().expect("no panic"));
        writer.join().expect("no panic");
        for (_, client) in &clients {
            client.wait(|seen| {
                let last =
                    Seen::Frame(serde_json::json!({"type": "error", "message": LAST.to_string()}));
                let is_resumed =
                    |seen: &Seen| matches!(seen, Seen::Frame(frame) if frame["to"] == LAST);
                seen.contains(&last) || seen.iter().any(is_resumed)
            });
        }
        shut_down(&hub);
        for (_, client) in clients {
            let (start, _, places) = after_resumed(&client.end());
            assert_eq!(places, (start + 1..=LAST).collect::<Vec<_>>());
        }
    });
}

#[test]
fn an_open_connection_asks_in_the_middle_of_everything() {
    check(|| {
        let hub = hub(1 << 20);
        let stored = Arc::new(AtomicI64::new(0));
        let client = join(&hub, 1, Reading::Socket);
        let writer = {
            let (hub, stored) = (hub.clone(), Arc::clone(&stored));
            thread::spawn(move || {
                let database = Database::default();
                for _ in 1..=LAST {
                    database.store(&hub, |place| stored.store(place, Ordering::SeqCst));
                }
            })
        };
        let hold = hub.hold_room(ROOM);
        let asked = resume(&hub, &stored, 0);
        hub.resume(client.connection, asked);
        drop(hold);
        writer.join().expect("no panic");
        client.wait(|seen| places(seen).contains(&LAST));
        client.wait(|seen| {
            seen.iter()
                .any(|seen| matches!(seen, Seen::Frame(frame) if frame["type"] == "resumed"))
        });
        shut_down(&hub);
        let (start, _, places) = after_resumed(&client.end());
        assert_eq!(places, (start + 1..=LAST).collect::<Vec<_>>());
    });
}
