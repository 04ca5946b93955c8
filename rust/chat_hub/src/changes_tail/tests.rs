use chat_protocol::ServerFrame;
use chat_protocol::ids::Seq;
use proptest::prelude::*;

use super::*;
use crate::tail::{LoadedTail, Tail};

fn frame(text: &str) -> EncodedFrame {
    ServerFrame::Error {
        message: text,
        client_id: None,
    }
    .encode()
}

/// What a frame of these tests says.
fn said(frame: &EncodedFrame) -> String {
    let payload = frame.text_payload();
    payload.split('"').nth(7).unwrap_or_default().to_owned()
}

/// A room as its database has it: of each message the change that it is at, from 0.
#[derive(Clone, Debug, Default)]
struct Room {
    messages: Vec<i64>,
    last: i64,
}

fn change_of(seq: usize, change: i64) -> LoadedChange {
    LoadedChange {
        change: Change(change),
        seq: Seq(i64::try_from(seq).expect("a place")),
        frame: frame(&format!("change {change} of {seq}")),
    }
}

fn message_of(seq: usize, change: i64) -> EncodedFrame {
    frame(&format!("{seq} at {change}"))
}

impl Room {
    fn change(&mut self, seq: usize) {
        self.last += 1;
        self.messages[seq - 1] = self.last;
    }

    /// The last changes of all messages that were changed, in their order.
    fn changes(&self) -> Vec<LoadedChange> {
        let mut changed: Vec<(i64, usize)> = self.messages.iter().copied().zip(1..).collect();
        changed.retain(|(change, _)| *change > 0);
        changed.sort_unstable();
        let changes = changed.into_iter();
        changes
            .map(|(change, seq)| change_of(seq, change))
            .collect()
    }

    fn load(&self, limit: usize) -> LoadedTail {
        let mut changes = self.changes();
        let skipped = changes.len().saturating_sub(limit);
        let after = skipped
            .checked_sub(1)
            .map_or(Change(0), |last| changes[last].change);
        let frames = self.messages.iter().zip(1..);
        LoadedTail {
            last: Seq(i64::try_from(self.messages.len()).expect("a place")),
            frames: frames
                .map(|(change, seq)| message_of(seq, *change))
                .collect(),
            changes: Some(LoadedChanges {
                last: Change(self.last),
                after,
                changes: changes.split_off(skipped),
            }),
        }
    }
}

fn tail(max_messages: usize) -> Tail {
    Tail::new(TailLimits::new(max_messages, 1_000_000))
}

fn changes(tail: &Tail, since: i64) -> Option<Vec<String>> {
    Some(tail.changes.since(Change(since))?.map(said).collect())
}

fn room(messages: usize) -> Room {
    Room {
        messages: vec![0; messages],
        last: 0,
    }
}

#[test]
fn of_each_message_the_newest_change_is_kept() {
    let mut tail = tail(10);
    let mut room = room(3);
    for seq in [1, 2, 1] {
        room.change(seq);
    }
    tail.extend(room.load(10));
    assert_eq!(
        changes(&tail, 0),
        Some(vec!["change 2 of 2".into(), "change 3 of 1".into()])
    );
    tail.push_change(change_of(2, 4), message_of(2, 4));
    assert_eq!(
        changes(&tail, 2),
        Some(vec!["change 3 of 1".into(), "change 4 of 2".into()])
    );
    assert_eq!(changes(&tail, 4), Some(Vec::new()));
    assert_eq!(changes(&tail, 5), None, "no such place");
}

#[test]
fn a_change_during_the_loading_reaches_what_was_loaded() {
    let mut tail = tail(10);
    let mut room = room(3);
    let loaded = room.load(10);
    room.change(2);
    tail.push_change(change_of(2, 1), message_of(2, 1));
    tail.extend(loaded);
    let messages: Vec<String> = tail.since(Seq(0)).expect("all").map(said).collect();
    assert_eq!(messages, ["1 at 0", "2 at 1", "3 at 0"]);
    assert_eq!(changes(&tail, 0), Some(vec!["change 1 of 2".into()]));
}

#[test]
fn a_change_that_was_missed_makes_all_begin_anew() {
    let mut tail = tail(10);
    tail.extend(room(3).load(10));
    tail.push_change(change_of(2, 2), message_of(2, 2));
    assert!(tail.since(Seq(0)).is_none());
    assert_eq!(changes(&tail, 0), None);
    assert_eq!(changes(&tail, 1), Some(vec!["change 2 of 2".into()]));
}

#[test]
fn it_keeps_the_newest_within_its_limits() {
    let mut tail = tail(2);
    let mut room = room(5);
    for seq in 1..=5 {
        room.change(seq);
    }
    tail.extend(room.load(2));
    assert_eq!(changes(&tail, 2), None);
    assert_eq!(changes(&tail, 3).map(|changes| changes.len()), Some(2));
    assert!(
        !tail.changes.needs_loading(Change(2)),
        "it has all it may have"
    );
}

#[derive(Clone, Debug)]
enum Step {
    /// A message is stored and published.
    Store,
    /// A message is changed in the database, one of the newest.
    Change(usize),
    /// The oldest change that is not published is published.
    Publish,
    /// The database is read.
    Read(usize),
    /// What was read last is taken up.
    Extend,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Store),
        3 => (0..4_usize).prop_map(Step::Change),
        3 => Just(Step::Publish),
        1 => (1..8_usize).prop_map(Step::Read),
        1 => Just(Step::Extend),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    /// Whenever the database is read, and whenever that is taken up: nobody gets an
    /// older state of a message than was published, or misses a change that was.
    #[test]
    fn what_it_has_is_current(steps in steps(), max_messages in 1..12_usize) {
        let mut tail = tail(max_messages);
        let mut room = Room::default();
        let (mut unpublished, mut read) = (VecDeque::new(), None);
        let mut published = Room::default();
        for step in steps {
            match step {
                Step::Store => {
                    room.messages.push(0);
                    published.messages.push(0);
                    let seq = room.messages.len();
                    tail.push(Seq(i64::try_from(seq).expect("a place")), &message_of(seq, 0));
                }
                Step::Change(back) => if let Some(seq) = room.messages.len().checked_sub(back).filter(|seq| *seq > 0) {
                    room.change(seq);
                    unpublished.push_back((seq, room.last));
                },
                Step::Publish => if let Some((seq, change)) = unpublished.pop_front() {
                    published.last = change;
                    published.messages[seq - 1] = change;
                    tail.push_change(change_of(seq, change), message_of(seq, change));
                },
                Step::Read(limit) => read = Some(room.load(limit)),
                Step::Extend => if let Some(loaded) = read.take() {
                    tail.extend(loaded);
                },
            }
            for since in 0..=room.messages.len() {
                let since = i64::try_from(since).expect("a place");
                for message in tail.since(Seq(since)).into_iter().flatten() {
                    let said = said(message);
                    let (seq, at) = said.split_once(" at ").expect("a message");
                    let seq: usize = seq.parse().expect("a place");
                    let at: i64 = at.parse().expect("a change");
                    prop_assert!(at >= published.messages[seq - 1], "{} is old", said);
                }
            }
            for since in 0..=room.last {
                let Some(found) = changes(&tail, since) else { continue };
                let last = tail.changes.last().expect("known").0;
                prop_assert!(last >= published.last || room.last == 0);
                for (change, seq) in room.messages.iter().zip(1..) {
                    if *change > since && *change <= last {
                        let wanted = format!("change {change} of {seq}");
                        prop_assert!(found.contains(&wanted), "{} is not in {:?}", wanted, found);
                    }
                }
            }
        }
    }
}
