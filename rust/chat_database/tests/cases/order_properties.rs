//! Whatever is sent in whatever groups: every room counts from one without a gap,
//! in the order of acceptance, and every name is stored once.

use std::collections::HashMap;

use chat_database::{Stored, StoredMessage};
use proptest::collection::vec;
use proptest::option;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use super::writer::Plug;
use super::{ALL, Fixture, message, named, submit};

const CASES: usize = 24;
const ROOMS: usize = 3;
const SENDERS: usize = 2;

/// Sent while the writer is busy, and so stored together.
type Group = Vec<Sent>;

#[derive(Clone, Copy, Debug)]
struct Sent {
    room: usize,
    sender: usize,
    name: Option<u8>,
}

fn groups() -> impl Strategy<Value = Vec<Group>> {
    let sent = (0..ROOMS, 0..SENDERS, option::of(0_u8..6)).prop_map(|(room, sender, name)| Sent {
        room,
        sender,
        name,
    });
    vec(vec(sent, 0..20), 0..6)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_groups_are_numbered_without_gaps() {
    let fixture = Fixture::new().await;
    let senders = [fixture.user("ana").await.id, fixture.user("bo").await.id];
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..CASES {
        let groups = groups().new_tree(&mut runner).expect("a value").current();
        let mut rooms = Vec::new();
        for _ in 0..ROOMS {
            rooms.push(fixture.room(senders[0], false).await.room.id);
        }
        let aside = fixture.room(senders[0], false).await.room.id;
        let writer = fixture.writer().await;
        let mut answers: Vec<(Sent, Stored)> = Vec::new();
        for group in &groups {
            let plug = Plug::insert(&writer, message(aside, senders[0], "")).await;
            let mut waiting = Vec::new();
            for sent in group {
                let (room, sender) = (rooms[sent.room], senders[sent.sender]);
                let submitted = match sent.name {
                    Some(name) => named(room, sender, &name.to_string(), ""),
                    None => message(room, sender, ""),
                };
                waiting.push((*sent, submit(&writer, submitted).await));
            }
            drop(plug);
            for (sent, answer) in waiting {
                let stored = answer.await.expect("an answer").expect("it is stored");
                answers.push((sent, stored));
            }
        }
        writer.flush_and_stop().await;
        check(&answers, &groups);
        for (room, id) in rooms.iter().enumerate() {
            let history = fixture.database.list_messages(*id, ALL, Vec::new()).await;
            check_history(room, &history.expect("a history"), &answers, &groups);
        }
    }
}

fn check(answers: &[(Sent, Stored)], groups: &[Group]) {
    let mut counts = [0; ROOMS];
    let mut firsts: HashMap<(usize, usize, u8), &Stored> = HashMap::new();
    for (sent, stored) in answers {
        let first = sent.name.map(|name| {
            *firsts
                .entry((sent.room, sent.sender, name))
                .or_insert(stored)
        });
        match first {
            Some(first) if first.id != stored.id || stored.is_repeat => {
                let expected = Stored {
                    is_repeat: true,
                    ..first.clone()
                };
                assert_eq!(*stored, expected, "{groups:?}");
            }
            _ => {
                counts[sent.room] += 1;
                assert_eq!(stored.seq, Some(counts[sent.room]), "{groups:?}");
                assert!(!stored.is_repeat, "{groups:?}");
            }
        }
    }
    let new = answers.iter().filter(|(_, stored)| !stored.is_repeat);
    assert!(new.is_sorted_by(|(_, a), (_, b)| a.id < b.id), "{groups:?}");
}

fn check_history(
    room: usize,
    history: &[StoredMessage],
    answers: &[(Sent, Stored)],
    groups: &[Group],
) {
    let stored = answers
        .iter()
        .filter(|(sent, stored)| sent.room == room && !stored.is_repeat)
        .map(|(_, stored)| (stored.id, stored.seq));
    let found = history
        .iter()
        .rev()
        .map(|message| (message.id, message.seq));
    assert!(found.eq(stored), "{groups:?}");
}
