use chat_protocol::ServerFrame;
use chat_protocol::ids::RoomId;
use chrono::Utc;

use super::*;
use crate::connection::{ConnectionId, ConnectionRef};

fn frame() -> EncodedFrame {
    ServerFrame::Pong {
        user_id: UserId(1),
        timestamp: Utc::now(),
    }
    .encode()
}

fn message() -> Delivery {
    Delivery {
        frame: frame(),
        audience: Audience::Everybody,
        importance: Importance::Required,
        seq: None,
        change: None,
        kind: None,
        _permit: None,
    }
}

fn reply() -> Delivery {
    let to = ConnectionRef {
        id: ConnectionId(1),
        shard: 0,
        room: Some(RoomId(1)),
    };
    Delivery {
        audience: Audience::Only(to),
        ..message()
    }
}

/// A room's flow with a clock that stands still.
struct Fixture {
    flow: RoomFlow,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        Self {
            flow: RoomFlow::default(),
            now: Instant::now(),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn push(&mut self, delivery: Delivery) {
        self.flow.push(delivery, self.now);
    }

    fn decide(&mut self) -> Decision {
        self.flow.decide(self.now)
    }

    /// A message that came back from the database.
    fn publish(&mut self) -> Decision {
        self.push(message());
        self.flow.settle();
        self.decide()
    }

    fn typing(&mut self, author: i32) -> Decision {
        self.flow.push_lossy(UserId(author), frame());
        self.decide()
    }

    /// A whole round: its first position, and who typed at which place of it.
    fn round(&mut self) -> (u64, Vec<Option<i32>>) {
        let (first, deliveries) = self.flow.begin_round(self.now);
        self.flow.end_round();
        let authors = deliveries.iter().map(|delivery| match delivery.audience {
            Audience::EverybodyBut(UserId(author)) => Some(author),
            _ => None,
        });
        (first, authors.collect())
    }
}

#[test]
fn a_lone_message_is_written_at_once() {
    let mut room = Fixture::new();
    room.flow.submit();
    assert_eq!(room.publish(), Decision::Write);
    assert_eq!(room.round(), (0, vec![None]));
    assert_eq!(room.decide(), Decision::Wait);
    assert!(room.flow.is_idle());
}

#[test]
fn what_is_published_during_a_round_makes_up_the_next() {
    let mut room = Fixture::new();
    room.push(message());
    assert_eq!(room.decide(), Decision::Write);
    assert_eq!(room.flow.begin_round(room.now).0, 0);
    for _ in 0..3 {
        room.push(message());
        assert_eq!(room.decide(), Decision::Wait);
    }
    room.flow.end_round();
    assert_eq!(room.decide(), Decision::Write);
    assert_eq!(room.round(), (1, vec![None; 3]));
}

#[test]
fn a_round_waits_for_what_was_submitted_before_it_and_no_longer() {
    let mut room = Fixture::new();
    room.flow.submit();
    room.flow.submit();
    assert!(matches!(room.publish(), Decision::WaitUntil(..)));
    // Comes too late for this round.
    room.flow.submit();
    room.flow.settle(); // The second one failed.
    assert_eq!(room.decide(), Decision::Write);
    assert_eq!(room.round(), (0, vec![None]));
    assert!(!room.flow.is_idle());
    assert_eq!(room.publish(), Decision::Write);
}

#[test]
fn a_hold_ends_with_its_time() {
    let mut room = Fixture::new();
    room.flow.submit();
    room.flow.submit();
    let expiry = room.now + LONGEST_HOLD;
    assert_eq!(
        room.publish(),
        Decision::WaitUntil(expiry, FlowTimer::Hold(1))
    );
    room.flow.timer_expired(FlowTimer::Hold(2));
    room.flow.timer_expired(FlowTimer::Lossy);
    assert_eq!(room.decide(), Decision::Wait);
    room.flow.timer_expired(FlowTimer::Hold(1));
    assert_eq!(room.decide(), Decision::Write);
    room.round();
    // The message that hung comes back at last.
    assert_eq!(room.publish(), Decision::Write);
    assert_eq!(room.round().0, 1);
}

#[test]
fn of_each_author_only_the_newest_lossy_frame_waits() {
    let mut room = Fixture::new();
    room.typing(1);
    room.typing(1);
    room.push(message());
    room.typing(2);
    room.typing(1);
    assert_eq!(room.round(), (0, vec![None, None, Some(2), Some(1)]));
}

#[test]
fn lossy_frames_stay_between_the_messages_around_them() {
    let mut room = Fixture::new();
    room.push(message());
    room.typing(1);
    room.push(message());
    room.typing(2);
    assert_eq!(room.round(), (0, vec![None, Some(1), None, Some(2)]));
}

#[test]
fn a_crowd_of_lossy_frames_does_not_pile_up() {
    let mut room = Fixture::new();
    for author in 0..5_000 {
        room.typing(author);
    }
    assert_eq!(room.round().1.len(), LOSSY_MAX_WAITING);
}

/// As many rounds of nothing but typing as may follow each other at once.
fn use_up_burst(room: &mut Fixture) {
    for author in 0..=BURST.div_duration_f32(LOSSY_GAP) as i32 {
        assert_eq!(room.typing(1000 + author), Decision::Write);
        room.round();
    }
}

fn after(room: &Fixture, time: Duration) -> Decision {
    Decision::WaitUntil(room.now + time, FlowTimer::Lossy)
}

#[test]
fn lossy_frames_make_few_rounds_by_themselves() {
    let mut room = Fixture::new();
    use_up_burst(&mut room);
    assert_eq!(room.typing(1), after(&room, LOSSY_GAP));
    assert_eq!(room.typing(2), Decision::Wait, "one timer is enough");
    room.pass(LOSSY_GAP);
    room.flow.timer_expired(FlowTimer::Lossy);
    assert_eq!(room.decide(), Decision::Write);
    assert_eq!(room.round().1, [Some(1), Some(2)]);
    assert_eq!(room.typing(1), after(&room, LOSSY_GAP));
    room.pass(BURST + LOSSY_GAP);
    room.flow.timer_expired(FlowTimer::Lossy);
    room.decide();
    room.round();
    room.pass(BURST * 60);
    use_up_burst(&mut room);
    assert_eq!(room.typing(1), after(&room, LOSSY_GAP));
}

#[test]
fn lossy_frames_go_with_messages_and_are_not_silenced_by_that() {
    let mut room = Fixture::new();
    use_up_burst(&mut room);
    assert_eq!(room.typing(1), after(&room, LOSSY_GAP));
    room.pass(LOSSY_GAP / 2);
    for author in 1..=100 {
        room.typing(author);
        room.push(message());
        assert_eq!(room.decide(), Decision::Write);
        assert_eq!(room.round().1, [Some(author), None]);
    }
    assert_eq!(room.typing(101), Decision::Wait);
    // The timer was set before these rounds: it comes too early now.
    room.pass(LOSSY_GAP / 2);
    room.flow.timer_expired(FlowTimer::Lossy);
    assert_eq!(room.decide(), after(&room, LOSSY_GAP / 2));
}

#[test]
fn of_one_author_few_lossy_frames_go_with_messages() {
    let mut room = Fixture::new();
    let in_a_round = |room: &mut Fixture| {
        room.typing(1);
        room.push(message());
        room.round().1.contains(&Some(1))
    };
    let burst = BURST.div_duration_f32(AUTHOR_GAP) as usize + 1;
    for count in 0..100 {
        assert_eq!(in_a_round(&mut room), count < burst);
    }
    // The newest is not lost: it goes by itself when it may, for which there is a timer.
    assert_eq!(room.decide(), Decision::Wait);
    assert_eq!(room.typing(2), Decision::Write, "others may go at once");
    assert_eq!(room.round().1, [Some(2)]);
    room.pass(AUTHOR_GAP);
    room.flow.timer_expired(FlowTimer::Lossy);
    assert_eq!(room.decide(), Decision::Write);
    assert_eq!(room.round().1, [Some(1)]);
    assert_eq!(room.decide(), Decision::Wait);
    // Who has been quiet for long is forgotten.
    room.pass(BURST * 2);
    room.typing(3);
    room.round();
    assert_eq!(room.flow.lossy.authors.len(), 1);
}

#[test]
fn an_answer_does_not_wait_for_lossy_frames_nor_take_them_along() {
    let mut room = Fixture::new();
    use_up_burst(&mut room);
    room.typing(1);
    room.push(reply());
    assert_eq!(room.decide(), Decision::Write);
    assert_eq!(room.round().1, [None]);
    assert_eq!(room.decide(), Decision::Wait);
    room.pass(LOSSY_GAP);
    room.flow.timer_expired(FlowTimer::Lossy);
    assert_eq!(room.decide(), Decision::Write);
    assert_eq!(room.round().1, [Some(1)]);
}
