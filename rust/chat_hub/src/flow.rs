//! When the frames of a room are written: in rounds, one at a time.
//!
//! A write costs the same for one frame as for many, so what counts is how many
//! frames each write carries. Two rules gather them, without a timer on the way
//! of a frame:
//!
//! - While a round is being written, what is published meanwhile waits and makes
//!   up the next one, for all shards alike.
//! - A round waits for the messages of its room that were handed to the database
//!   before it could begin. They come back within a commit or two; a bound keeps
//!   a database that hangs from holding back what is stored already.
//!
//! With one message under way neither rule delays anything.
//!
//! Pure state: the hub calls it under the room's entry and does what it decides.

use crate::round::{Audience, Delivery, Importance};

/// Deliveries waiting above which lossy ones are not taken up.
const LOSSY_MAX_WAITING: usize = 1024;

/// What is to be done for a room now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Something else will happen first.
    Wait,
    /// Wait too, but `hold_expired` must be called some milliseconds later.
    Hold(HoldId),
    /// `begin_round`, and write it.
    Write,
}

/// Tells one hold of a room from those before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HoldId(u64);

/// The stream of deliveries of one room.
#[derive(Debug, Default)]
pub(crate) struct RoomFlow {
    waiting: Vec<Delivery>,
    /// Deliveries taken up so far, those waiting included.
    length: u64,
    is_writing: bool,
    /// Messages handed to the database, and those that came back, stored or not.
    submitted: u64,
    settled: u64,
    hold: Option<Hold>,
    holds: u64,
}

#[derive(Debug)]
struct Hold {
    id: HoldId,
    /// The value of `settled` that ends it.
    until_settled: u64,
}

impl RoomFlow {
    /// The position of the next delivery.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the room can be forgotten once nobody is in it.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_writing && self.submitted == self.settled
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A message goes to the database.
    pub(crate) fn submit(&mut self) {
        self.submitted += 1;
    }

    /// A message that was submitted is back; if it is to be delivered, `push` comes first.
    pub(crate) fn settle(&mut self) {
        self.settled += 1;
    }

    /// Takes up a delivery behind all others.
    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.length += 1;
        self.waiting.push(delivery);
    }

    /// Takes up a delivery that may be lost; of each author only the newest waits.
    pub(crate) fn push_lossy(&mut self, delivery: Delivery) {
        if self.waiting.len() >= LOSSY_MAX_WAITING {
            return;
        }
        if let Audience::EverybodyBut(author) = delivery.audience {
            for older in &mut self.waiting {
                if older.importance == Importance::Lossy
                    && matches!(older.audience, Audience::EverybodyBut(other) if other == author)
                {
                    older.audience = Audience::Nobody;
                }
            }
        }
        self.push(delivery);
    }

    /// Call after every change.
    pub(crate) fn decide(&mut self) -> Decision {
        if self.is_writing || self.waiting.is_empty() {
            return Decision::Wait;
        }
        match &self.hold {
            Some(hold) if self.settled < hold.until_settled => Decision::Wait,
            Some(_) => Decision::Write,
            None if self.settled >= self.submitted => Decision::Write,
            None => {
                self.holds += 1;
                let id = HoldId(self.holds);
                self.hold = Some(Hold {
                    id,
                    until_settled: self.submitted,
                });
                Decision::Hold(id)
            }
        }
    }

    /// Gives up a hold, if it is still that one.
    pub(crate) fn hold_expired(&mut self, id: HoldId) {
        if let Some(hold) = self.hold.as_mut().filter(|hold| hold.id == id) {
            hold.until_settled = 0;
        }
    }

    /// Takes everything that waits, with the position of the first.
    pub(crate) fn begin_round(&mut self) -> (u64, Vec<Delivery>) {
        self.hold = None;
        self.is_writing = true;
        let deliveries = std::mem::take(&mut self.waiting);
        (self.length - deliveries.len() as u64, deliveries)
    }

    /// All shards have written the round.
    pub(crate) fn end_round(&mut self) {
        self.is_writing = false;
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::ids::UserId;
    use chat_protocol::{EncodedFrame, ServerFrame};
    use chrono::Utc;

    use super::*;

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
            _permit: None,
        }
    }

    fn typing(author: i32) -> Delivery {
        Delivery {
            audience: Audience::EverybodyBut(UserId(author)),
            importance: Importance::Lossy,
            ..message()
        }
    }

    fn publish(flow: &mut RoomFlow) -> Decision {
        flow.push(message());
        flow.settle();
        flow.decide()
    }

    #[test]
    fn a_lone_message_is_written_at_once() {
        let mut flow = RoomFlow::default();
        flow.submit();
        assert_eq!(publish(&mut flow), Decision::Write);
        assert_eq!(flow.begin_round().1.len(), 1);
        flow.end_round();
        assert_eq!(flow.decide(), Decision::Wait);
        assert!(flow.is_idle());
    }

    #[test]
    fn what_is_published_during_a_round_makes_up_the_next() {
        let mut flow = RoomFlow::default();
        flow.push(message());
        assert_eq!(flow.decide(), Decision::Write);
        assert_eq!(flow.begin_round().0, 0);
        for _ in 0..3 {
            flow.push(message());
            assert_eq!(flow.decide(), Decision::Wait);
        }
        flow.end_round();
        assert_eq!(flow.decide(), Decision::Write);
        let (first, deliveries) = flow.begin_round();
        assert_eq!((first, deliveries.len()), (1, 3));
    }

    #[test]
    fn a_round_waits_for_what_was_submitted_before_it_and_no_longer() {
        let mut flow = RoomFlow::default();
        flow.submit();
        flow.submit();
        assert!(matches!(publish(&mut flow), Decision::Hold(_)));
        // Comes too late for this round.
        flow.submit();
        flow.settle(); // The second one failed.
        assert_eq!(flow.decide(), Decision::Write);
        assert_eq!(flow.begin_round().1.len(), 1);
        assert!(!flow.is_idle());
        flow.end_round();
        assert_eq!(publish(&mut flow), Decision::Write);
    }

    #[test]
    fn a_hold_ends_with_its_time() {
        let mut flow = RoomFlow::default();
        flow.submit();
        flow.submit();
        let Decision::Hold(first) = publish(&mut flow) else {
            panic!("not held");
        };
        flow.hold_expired(HoldId(first.0 + 1));
        assert_eq!(flow.decide(), Decision::Wait);
        flow.hold_expired(first);
        assert_eq!(flow.decide(), Decision::Write);
        flow.begin_round();
        flow.end_round();
        // The message that hung comes back at last.
        assert_eq!(publish(&mut flow), Decision::Write);
        assert_eq!(flow.begin_round().0, 1);
    }

    #[test]
    fn of_each_author_only_the_newest_lossy_frame_waits() {
        let mut flow = RoomFlow::default();
        flow.push_lossy(typing(1));
        flow.push(message());
        flow.push_lossy(typing(2));
        flow.push_lossy(typing(1));
        let (_, deliveries) = flow.begin_round();
        let authors: Vec<Option<i32>> = deliveries
            .iter()
            .map(|delivery| match delivery.audience {
                Audience::EverybodyBut(UserId(author)) => Some(author),
                _ => None,
            })
            .collect();
        assert_eq!(authors, [None, None, Some(2), Some(1)]);
    }

    #[test]
    fn a_crowd_of_lossy_frames_does_not_pile_up() {
        let mut flow = RoomFlow::default();
        for author in 0..5_000 {
            flow.push_lossy(typing(author));
        }
        assert_eq!(flow.begin_round().1.len(), LOSSY_MAX_WAITING);
    }
}
