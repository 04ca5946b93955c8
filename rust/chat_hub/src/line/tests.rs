use chat_protocol::EncodedFrame;
use proptest::prelude::*;

use super::*;

fn frame(text: String) -> EncodedFrame {
    EncodedFrame::text(|payload| payload.extend_from_slice(text.as_bytes()))
}

fn message(seq: i64) -> Publication {
    Publication {
        seq: Some(Seq(seq)),
        frame: frame(format!("message {seq}")),
        own: None,
    }
}

fn change(change: i64, seq: i64) -> ChangePublication {
    ChangePublication {
        change: Change(change),
        seq: Seq(seq),
        frame: frame(format!("change {change}")),
        message: frame(format!("message {seq}, changed")),
    }
}

fn at(seq: i64, change: i64) -> Position {
    Position {
        seq: Seq(seq),
        change: Some(Change(change)),
    }
}

/// Everything that comes out now: messages as positive numbers, changes as negative.
fn out(line: &mut Line) -> Vec<i64> {
    let mut out = Vec::new();
    while let Some(news) = line.pop() {
        out.push(match news {
            LineNews::Message(publication, _) => publication.seq.expect("a number").0,
            LineNews::Change(publication, _) => -publication.change.0,
        });
    }
    line.settle();
    out
}

fn push(line: &mut Line, news: i64, seq: i64) {
    let news = if news > 0 {
        LineNews::Message(message(news), None)
    } else {
        LineNews::Change(change(-news, seq), None)
    };
    assert!(line.push(news).is_none());
}

#[test]
fn numbers_come_out_in_order_and_once() {
    let mut line = Line::default();
    push(&mut line, 4, 4);
    push(&mut line, 7, 7);
    assert!(out(&mut line).is_empty(), "nobody reads");
    assert!(!line.note_missing());
    line.begin(at(5, 0));
    line.begin(at(1, 0));
    assert!(out(&mut line).is_empty());
    assert!(line.note_missing());
    assert_eq!(line.still_missing(), Some(at(5, 0)));
    push(&mut line, 6, 6);
    assert_eq!(out(&mut line), [6, 7]);
    for late in [4, 6, 7] {
        push(&mut line, late, late);
    }
    assert!(out(&mut line).is_empty());
    assert!(line.still_missing().is_none() && !line.note_missing());
}

#[test]
fn a_change_comes_out_behind_its_message() {
    let mut line = Line::default();
    line.begin(at(0, 0));
    push(&mut line, -1, 2);
    push(&mut line, -2, 1);
    push(&mut line, 1, 1);
    assert_eq!(out(&mut line), [1]);
    push(&mut line, 2, 2);
    assert_eq!(out(&mut line), [2, -1, -2]);
}

#[test]
fn what_the_database_does_not_have_is_not_waited_for() {
    let mut line = Line::default();
    line.begin(at(0, 0));
    push(&mut line, 4, 4);
    line.expect(at(6, 3));
    assert!(line.note_missing());
    line.fill(Fetched {
        messages: vec![message(2), message(4)],
        changes: vec![change(3, 2)],
        up_to: at(6, 3),
    });
    assert_eq!(out(&mut line), [2, 4, -3]);
    assert!(!line.note_missing());
    push(&mut line, 5, 5);
    push(&mut line, 7, 7);
    assert_eq!(out(&mut line), [7]);
}

#[test]
fn what_has_no_number_has_no_turn() {
    let mut line = Line::default();
    let unnumbered = Publication {
        seq: None,
        ..message(1)
    };
    assert!(line.push(LineNews::Message(unnumbered, None)).is_some());
}

#[test]
fn progress_is_not_something_missing() {
    let mut line = Line::default();
    line.begin(at(0, 0));
    push(&mut line, 2, 2);
    assert!(line.note_missing());
    push(&mut line, 1, 1);
    push(&mut line, 4, 4);
    assert_eq!(out(&mut line), [1, 2]);
    assert_eq!(line.still_missing(), None, "that was another one");
    assert!(line.note_missing());
    assert_eq!(line.still_missing(), Some(at(2, 0)));
}

/// What happens to messages and changes on their way.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// One that was stored arrives, maybe again.
    Arrive(usize),
    /// A reader of the database says how far it has come.
    Expect,
    Fetch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => any::<usize>().prop_map(Step::Arrive),
        1 => Just(Step::Expect),
        1 => Just(Step::Fetch),
    ];
    proptest::collection::vec(step, 0..120)
}

proptest! {
    /// Whatever is lost, comes late or twice: all that the database has comes out, in its
    /// order, once, and changes behind their messages.
    #[test]
    fn everything_comes_out_in_order(
        steps in steps(),
        messages in 1..20_i64,
        changed in proptest::collection::vec(1..20_i64, 0..10),
        deleted in proptest::collection::vec(any::<bool>(), 20),
        base in 0..5_i64,
    ) {
        let changed: Vec<i64> = changed.into_iter().map(|seq| seq.min(messages)).collect();
        let last_change = i64::try_from(changed.len()).expect("few");
        let is_there = |seq: i64| !deleted[usize::try_from(seq).expect("few")];
        let base = base.min(messages);
        let newest = at(messages, last_change);
        let mut line = Line::default();
        line.begin(at(base, 0));
        let mut all = Vec::new();
        let fetch = |line: &mut Line| {
            line.fill(Fetched {
                messages: (base + 1..=messages).filter(|seq| is_there(*seq)).map(message).collect(),
                changes: (1..).zip(&changed).map(|(number, seq)| change(number, *seq)).collect(),
                up_to: newest,
            });
        };
        for step in steps {
            match step {
                Step::Arrive(which) => {
                    let which = which % (usize::try_from(messages + last_change).expect("few"));
                    let which = i64::try_from(which).expect("few");
                    match changed.get(usize::try_from(which - messages).unwrap_or(usize::MAX)) {
                        Some(seq) => push(&mut line, -(which - messages + 1), *seq),
                        None if is_there(which + 1) => push(&mut line, which + 1, which + 1),
                        None => {}
                    }
                }
                Step::Expect => line.expect(newest),
                Step::Fetch => fetch(&mut line),
            }
            all.extend(out(&mut line));
        }
        line.expect(newest);
        if line.note_missing() {
            prop_assert!(line.still_missing().is_some());
            fetch(&mut line);
            all.extend(out(&mut line));
        }
        prop_assert!(!line.note_missing());
        let messages_out: Vec<i64> = all.iter().copied().filter(|number| *number > 0).collect();
        let expected: Vec<i64> = (base + 1..=messages).filter(|seq| is_there(*seq)).collect();
        prop_assert_eq!(messages_out, expected);
        let changes_out: Vec<i64> = all.iter().map(|number| -number).filter(|number| *number > 0).collect();
        prop_assert_eq!(changes_out, (1..=last_change).collect::<Vec<_>>());
        for (place, number) in all.iter().enumerate().filter(|(_, number)| **number < 0) {
            let seq = changed[usize::try_from(-number - 1).expect("few")];
            let is_behind = seq <= base || !is_there(seq) || all[..place].contains(&seq);
            prop_assert!(is_behind, "change {} in front of message {}", -number, seq);
        }
    }
}
