//! When the frames of a room are written: in rounds, one at a time.
//!
//! A write costs the same for one frame as for many, so what counts is how many
//! frames each write carries. Three rules gather them, the first two without a
//! timer on the way of a frame:
//!
//! - While a round is being written, what is published meanwhile waits and makes
//!   up the next one, for all shards alike.
//! - A round waits for the messages of its room that were handed to the database
//!   before it could begin. They come back within a commit or two; a bound keeps
//!   a database that hangs from holding back what is stored already.
//! - What may be lost goes with the next frame that most of the room gets. By
//!   itself it makes a few rounds per second and no more, whatever is sent. Of one
//!   author only a few go in a second, the newest ones.
//!
//! With one message under way, or one person typing, no rule delays anything.
//!
//! Pure state: the hub calls it under the room's entry and does what it decides.

use std::collections::HashMap;
use std::time::Duration;

use chat_protocol::EncodedFrame;
use chat_protocol::ids::UserId;

use crate::round::{Audience, Delivery, Importance};
use crate::sync::Instant;

/// How long what is stored may wait for other messages of the room to come back
/// from the database. Longer than a commit, shorter than anybody notices.
const LONGEST_HOLD: Duration = Duration::from_millis(5);
/// From one round with lossy frames to the next, in the long run.
const LOSSY_GAP: Duration = Duration::from_millis(100);
/// From one lossy frame of an author to the next.
const AUTHOR_GAP: Duration = Duration::from_millis(250);
/// How much of either may be used up at once after quiet.
const BURST: Duration = Duration::from_secs(1);
/// Deliveries waiting above which lossy ones are not taken up.
const LOSSY_MAX_WAITING: usize = 1024;

/// What is to be done for a room now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Something else will happen first.
    Wait,
    /// Wait too, but call `timer_expired` at this time.
    WaitUntil(Instant, FlowTimer),
    /// `begin_round`, and write it.
    Write,
}

/// What a timer of a flow is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowTimer {
    /// The end of a hold, by its number in the room.
    Hold(u64),
    /// The next round of lossy frames.
    Lossy,
}

/// The stream of deliveries of one room.
#[derive(Debug, Default)]
pub(crate) struct RoomFlow {
    waiting: Vec<Delivery>,
    /// Whether any of those waiting is for more than one connection.
    is_for_most: bool,
    /// Deliveries taken up so far, those waiting included.
    length: u64,
    is_writing: bool,
    /// Messages handed to the database, and those that came back, stored or not.
    submitted: u64,
    settled: u64,
    hold: Option<Hold>,
    holds: u64,
    lossy: Lossy,
}

#[derive(Debug)]
struct Hold {
    number: u64,
    /// The value of `settled` that ends it.
    until_settled: u64,
}

/// Frames that may be lost.
#[derive(Debug, Default)]
struct Lossy {
    /// The newest of each author that is not yet among those waiting.
    newest: Vec<(UserId, EncodedFrame)>,
    /// Where the newest of each author stands among those waiting.
    places: HashMap<UserId, usize>,
    /// Rounds with them.
    rounds: Pace,
    /// Those who were heard lately.
    authors: HashMap<UserId, Pace>,
    has_timer: bool,
}

impl Lossy {
    /// When they may make a round by themselves, unless now.
    fn delayed_until(&self, now: Instant) -> Option<Instant> {
        // No delay is less than any.
        let authors = self.newest.iter();
        let first = authors
            .map(|(author, _)| self.author_delayed_until(*author, now))
            .min();
        self.rounds.delayed_until(now).max(first.flatten())
    }

    fn author_delayed_until(&self, author: UserId, now: Instant) -> Option<Instant> {
        self.authors.get(&author)?.delayed_until(now)
    }

    /// A round takes them along.
    fn charge(&mut self, now: Instant) {
        self.places = HashMap::new();
        self.rounds.charge(LOSSY_GAP, now);
        self.authors.retain(|_, pace| pace.is_used(now));
    }
}

/// How often something may happen (GCRA).
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// When all of it so far would have happened, one gap after the other.
    paid_until: Option<Instant>,
}

impl Pace {
    /// When it may happen again, unless now.
    fn delayed_until(&self, now: Instant) -> Option<Instant> {
        let due = self.paid_until? - BURST;
        (due > now).then_some(due)
    }

    /// Whether any of the burst is used up.
    fn is_used(&self, now: Instant) -> bool {
        self.paid_until.is_some_and(|paid_until| paid_until > now)
    }

    /// It happens. If it does so too early, along with something else, that does not
    /// build up a debt that would hold it back afterwards.
    fn charge(&mut self, gap: Duration, now: Instant) {
        let begun = self
            .paid_until
            .map_or(now, |paid_until| paid_until.max(now));
        self.paid_until = Some(begun.min(now + BURST) + gap);
    }
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

    /// Whether anything waits that must not be lost.
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
    pub(crate) fn push(&mut self, delivery: Delivery, now: Instant) {
        if delivery.is_for_most() {
            self.take_up_lossy(now);
            self.is_for_most = true;
        }
        self.append(delivery);
    }

    /// Takes up a frame that may be lost, for everybody but its author; of each
    /// author only the newest waits.
    pub(crate) fn push_lossy(&mut self, author: UserId, frame: EncodedFrame) {
        let newest = &mut self.lossy.newest;
        if let Some((_, older)) = newest.iter_mut().find(|(other, _)| *other == author) {
            *older = frame;
        } else if self.waiting.len() + newest.len() < LOSSY_MAX_WAITING {
            newest.push((author, frame));
        }
    }

    /// Call after every change.
    pub(crate) fn decide(&mut self, now: Instant) -> Decision {
        if self.is_writing {
            return Decision::Wait;
        }
        if self.waiting.is_empty() {
            if self.lossy.newest.is_empty() {
                return Decision::Wait;
            }
            if let Some(due) = self.lossy.delayed_until(now) {
                return if std::mem::replace(&mut self.lossy.has_timer, true) {
                    Decision::Wait
                } else {
                    Decision::WaitUntil(due, FlowTimer::Lossy)
                };
            }
        }
        match &self.hold {
            Some(hold) if self.settled < hold.until_settled => Decision::Wait,
            Some(_) => Decision::Write,
            None if self.settled >= self.submitted => Decision::Write,
            None => {
                self.holds += 1;
                self.hold = Some(Hold {
                    number: self.holds,
                    until_settled: self.submitted,
                });
                Decision::WaitUntil(now + LONGEST_HOLD, FlowTimer::Hold(self.holds))
            }
        }
    }

    /// Gives up what the timer was set for, if that is still there.
    pub(crate) fn timer_expired(&mut self, timer: FlowTimer) {
        match timer {
            FlowTimer::Hold(number) => {
                if let Some(hold) = self.hold.as_mut().filter(|hold| hold.number == number) {
                    hold.until_settled = 0;
                }
            }
            FlowTimer::Lossy => self.lossy.has_timer = false,
        }
    }

    /// Takes what waits, with the position of the first: all of it, but without
    /// lossy deliveries where these would turn answers to single connections into
    /// a round for the whole room.
    pub(crate) fn begin_round(&mut self, now: Instant) -> (u64, Vec<Delivery>) {
        if self.is_for_most || self.lossy.delayed_until(now).is_none() {
            self.take_up_lossy(now);
        }
        if !self.lossy.places.is_empty() {
            self.lossy.charge(now);
        }
        self.hold = None;
        self.is_writing = true;
        self.is_for_most = false;
        let deliveries = std::mem::take(&mut self.waiting);
        (self.length - deliveries.len() as u64, deliveries)
    }

    /// All shards have written the round.
    pub(crate) fn end_round(&mut self) {
        self.is_writing = false;
    }

    fn append(&mut self, delivery: Delivery) {
        self.length += 1;
        self.waiting.push(delivery);
    }

    fn take_up_lossy(&mut self, now: Instant) {
        for (author, frame) in std::mem::take(&mut self.lossy.newest) {
            if self.lossy.author_delayed_until(author, now).is_some() {
                self.lossy.newest.push((author, frame));
                continue;
            }
            let pace = self.lossy.authors.entry(author).or_default();
            pace.charge(AUTHOR_GAP, now);
            if let Some(older) = self.lossy.places.insert(author, self.waiting.len()) {
                self.waiting[older].audience = Audience::Nobody;
            }
            self.append(Delivery {
                frame,
                audience: Audience::EverybodyBut(author),
                importance: Importance::Lossy,
                seq: None,
                change: None,
                kind: None,
                _permit: None,
            });
        }
    }
}

// With its path, since the model check takes this file by one too.
#[cfg(test)]
#[path = "flow/tests.rs"]
mod tests;
