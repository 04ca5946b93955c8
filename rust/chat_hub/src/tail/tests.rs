use chat_protocol::ServerFrame;
use proptest::prelude::*;

use super::*;

fn frame(place: i64) -> EncodedFrame {
    let message = &place.to_string();
    ServerFrame::Error {
        message,
        client_id: None,
    }
    .encode()
}

fn loaded(places: std::ops::RangeInclusive<i64>) -> LoadedTail {
    LoadedTail {
        last: Seq(*places.end()),
        frames: places.map(frame).collect(),
        changes: None,
    }
}

fn tail(max_messages: usize) -> Tail {
    Tail::new(TailLimits::new(max_messages, 1_000_000))
}

fn places(tail: &Tail, since: i64) -> Option<Vec<String>> {
    let texts = tail.since(Seq(since))?.map(EncodedFrame::text_payload);
    Some(texts.map(str::to_owned).collect())
}

fn expected(places: std::ops::RangeInclusive<i64>) -> Option<Vec<String>> {
    Some(
        places
            .map(|place| frame(place).text_payload().to_owned())
            .collect(),
    )
}

#[test]
fn what_was_loaded_goes_on_with_what_is_published() {
    let mut tail = tail(10);
    tail.extend(loaded(3..=5));
    tail.push(Seq(6), &frame(6));
    assert_eq!(places(&tail, 2), expected(3..=6));
    assert_eq!(places(&tail, 6), Some(Vec::new()));
    assert_eq!(places(&tail, 1), None);
    assert_eq!(places(&tail, 7), None, "no such place");
}

#[test]
fn what_is_published_during_the_loading_is_not_doubled() {
    let mut tail = tail(10);
    tail.push(Seq(5), &frame(5));
    tail.push(Seq(6), &frame(6));
    assert!(tail.needs_loading(Seq(2)));
    tail.extend(loaded(2..=5));
    assert_eq!(places(&tail, 1), expected(2..=6));
    tail.push(Seq(6), &frame(6));
    assert_eq!(places(&tail, 4), expected(5..=6));
}

#[test]
fn an_empty_room_has_nothing_to_miss() {
    let mut tail = tail(10);
    tail.extend(LoadedTail {
        last: Seq(0),
        frames: Vec::new(),
        changes: None,
    });
    assert_eq!(places(&tail, 0), Some(Vec::new()));
    tail.push(Seq(1), &frame(1));
    assert_eq!(places(&tail, 0), expected(1..=1));
}

#[test]
fn it_keeps_the_newest_within_its_limits() {
    let mut tail = tail(3);
    tail.extend(loaded(1..=9));
    assert_eq!(places(&tail, 6), expected(7..=9));
    assert_eq!(places(&tail, 5), None);
    assert!(!tail.needs_loading(Seq(5)), "it has all it may have");

    let cost = cost(&frame(1));
    let mut tail = Tail::new(TailLimits::new(100, 2 * cost));
    tail.extend(loaded(1..=9));
    assert_eq!(places(&tail, 7), expected(8..=9));
    assert_eq!(places(&tail, 6), None);
}

#[test]
fn its_bytes_count_until_it_is_gone() {
    let limits = TailLimits::new(3, 1_000_000);
    let mut tail = Tail::new(limits.clone());
    tail.extend(loaded(1..=9));
    tail.push(Seq(12), &frame(12));
    let count = || limits.bytes_of_all.load(Ordering::Relaxed);
    assert_eq!(count(), cost(&frame(12)));
    drop(tail);
    assert_eq!(count(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    /// The next message is stored, and published if the flag says so.
    Store(bool),
    /// The newest so many are loaded.
    Load(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Store(true)),
        1 => Just(Step::Store(false)),
        1 => (0..8_usize).prop_map(Step::Load),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// Also when other processes store messages that are not published here.
    #[test]
    fn it_never_has_a_gap(steps in steps(), max_messages in 1..12_usize) {
        let mut tail = tail(max_messages);
        let mut stored = 0;
        let mut known = 0;
        for step in steps {
            match step {
                Step::Store(is_published) => {
                    stored += 1;
                    if is_published {
                        tail.push(Seq(stored), &frame(stored));
                        known = stored;
                    }
                }
                Step::Load(count) => {
                    let first = (stored - as_place(count) + 1).max(1);
                    tail.extend(loaded(first..=stored));
                    known = stored;
                }
            }
            for since in 0..=stored {
                if let Some(found) = places(&tail, since) {
                    prop_assert_eq!(Some(found), expected(since + 1..=known));
                }
            }
        }
    }
}
