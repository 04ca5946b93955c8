//! The order of a room in which several processes publish.
//!
//! The database numbers messages, and changes, in the order of their commits, whoever
//! stores them. They come here from this process and from others, in any order and
//! maybe not at all; the line lets them out in the order of their numbers, each once. A
//! change comes out behind its message. What is missing for a while is fetched.
//!
//! Pure state, like `flow`. Only there is more than one process: a room of an only one
//! has no line.

use std::collections::BTreeMap;

use chat_protocol::Position;
use chat_protocol::ids::{Change, Seq};
use tokio::sync::OwnedSemaphorePermit;

use crate::hub::{ChangePublication, Publication};
use crate::peers::Fetched;

/// Publications that may wait for one that is missing. What is beyond is fetched later.
const MAX_WAITING: usize = 4096;

/// Something that is published, with its share of what may be in flight.
#[derive(Debug)]
pub(crate) enum LineNews {
    Message(Publication, Option<OwnedSemaphorePermit>),
    Change(ChangePublication, Option<OwnedSemaphorePermit>),
}

impl LineNews {
    pub(crate) fn with_permit(self, permit: Option<OwnedSemaphorePermit>) -> Self {
        match self {
            Self::Message(publication, _) => Self::Message(publication, permit),
            Self::Change(publication, _) => Self::Change(publication, permit),
        }
    }
}

/// One sequence of numbers.
#[derive(Debug)]
struct Sequence<T> {
    /// The number of the last one that is out; none before anybody reads.
    last: Option<i64>,
    /// Up to there, what is not here is not anywhere.
    known: i64,
    /// The highest number that the database has been seen to have.
    expected: i64,
    waiting: BTreeMap<i64, T>,
}

impl<T> Default for Sequence<T> {
    fn default() -> Self {
        Self {
            last: None,
            known: 0,
            expected: 0,
            waiting: BTreeMap::new(),
        }
    }
}

impl<T> Sequence<T> {
    fn begin(&mut self, last: i64) {
        if self.last.is_none() {
            self.last = Some(last);
            self.waiting = self.waiting.split_off(&(last + 1));
        }
    }

    fn push(&mut self, number: i64, item: T) {
        self.expected = self.expected.max(number);
        let is_behind = self.last.is_some_and(|last| number <= last);
        if !is_behind && self.waiting.len() < MAX_WAITING {
            self.waiting.entry(number).or_insert(item);
        }
    }

    /// What is next, if it is there.
    fn next(&self) -> Option<&T> {
        let (number, item) = self.waiting.first_key_value()?;
        let in_front = self.last?.max(self.known);
        (*number <= in_front + 1).then_some(item)
    }

    fn pop(&mut self) -> Option<T> {
        self.next()?;
        let (number, item) = self.waiting.pop_first()?;
        self.last = Some(number);
        Some(item)
    }

    /// What was in front of this place and has not come is nowhere.
    fn know(&mut self, up_to: i64) {
        self.known = self.known.max(up_to);
        self.expected = self.expected.max(up_to);
    }

    /// When nothing is left to come out: what is known not to be there is over.
    fn settle(&mut self) {
        let is_first_later = self
            .waiting
            .first_key_value()
            .is_none_or(|(first, _)| *first > self.known);
        if let Some(last) = &mut self.last
            && is_first_later
        {
            *last = self.known.max(*last);
        }
    }

    /// The last one in front of what is missing.
    fn missing_behind(&self) -> Option<i64> {
        self.last.filter(|last| *last < self.expected)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Line {
    messages: Sequence<(Publication, Option<OwnedSemaphorePermit>)>,
    changes: Sequence<(ChangePublication, Option<OwnedSemaphorePermit>)>,
    /// Behind which messages and changes something was missing when that was noted.
    noted: (Option<i64>, Option<i64>),
}

impl Line {
    /// Somebody reads from now on, and has seen, or will be given, everything up to this
    /// place. Only the first time.
    pub(crate) fn begin(&mut self, newest: Position) {
        self.messages.begin(newest.seq.0);
        self.changes.begin(newest.change.unwrap_or_default().0);
    }

    /// Takes up what is published; gives it back if it has no number, and so no order.
    pub(crate) fn push(&mut self, news: LineNews) -> Option<LineNews> {
        match news {
            LineNews::Message(publication, permit) => match publication.seq {
                Some(seq) => self.messages.push(seq.0, (publication, permit)),
                None => return Some(LineNews::Message(publication, permit)),
            },
            LineNews::Change(publication, permit) => {
                self.changes
                    .push(publication.change.0, (publication, permit));
            }
        }
        None
    }

    /// What comes out next.
    pub(crate) fn pop(&mut self) -> Option<LineNews> {
        if let Some((publication, permit)) = self.messages.pop() {
            return Some(LineNews::Message(publication, permit));
        }
        self.messages.settle();
        let last = self.messages.last?;
        let (change, _) = self.changes.next()?;
        if change.seq.0 <= last {
            let (publication, permit) = self.changes.pop()?;
            return Some(LineNews::Change(publication, permit));
        }
        None
    }

    /// Call when nothing comes out any more.
    pub(crate) fn settle(&mut self) {
        self.messages.settle();
        self.changes.settle();
    }

    /// The database has come so far.
    pub(crate) fn expect(&mut self, newest: Position) {
        let (messages, changes) = (&mut self.messages, &mut self.changes);
        messages.expected = messages.expected.max(newest.seq.0);
        let change = newest.change.unwrap_or_default();
        changes.expected = changes.expected.max(change.0);
    }

    /// Takes up what was fetched.
    pub(crate) fn fill(&mut self, fetched: Fetched) {
        for publication in fetched.messages {
            self.push(LineNews::Message(publication, None));
        }
        for publication in fetched.changes {
            self.push(LineNews::Change(publication, None));
        }
        self.messages.know(fetched.up_to.seq.0);
        self.changes
            .know(fetched.up_to.change.unwrap_or_default().0);
    }

    /// Whether something is missing now; what it is, is noted.
    pub(crate) fn note_missing(&mut self) -> bool {
        self.noted = self.missing();
        self.noted != (None, None)
    }

    /// What comes in front of what was missing when that was noted, and still is.
    pub(crate) fn still_missing(&self) -> Option<Position> {
        let (message, change) = self.missing();
        let is_still = |now: Option<i64>, then| now.is_some() && now == then;
        let is_missing = is_still(message, self.noted.0) || is_still(change, self.noted.1);
        is_missing.then_some(Position {
            seq: Seq(self.messages.last?),
            change: self.changes.last.map(Change),
        })
    }

    fn missing(&self) -> (Option<i64>, Option<i64>) {
        let (messages, changes) = (&self.messages, &self.changes);
        (messages.missing_behind(), changes.missing_behind())
    }
}

#[cfg(test)]
#[path = "line/tests.rs"]
mod tests;
