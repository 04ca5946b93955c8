//! The newest changes of a room's messages, encoded, for connections that come back.
//!
//! Part of a `Tail`. Of each message only the newest change is kept, which says all
//! there is to say about it. Like the messages, the changes never have a gap: what does
//! not continue them begins them anew.

use std::collections::VecDeque;

use chat_protocol::EncodedFrame;
use chat_protocol::ids::{Change, Seq};

use crate::tail::{TailLimits, cost};

/// The newest changes of a room, as the database has them.
#[derive(Clone, Debug)]
pub struct LoadedChanges {
    /// The place of the newest one; zero in a room without changes.
    pub last: Change,
    /// The messages whose newest change is behind this place are all there.
    pub after: Change,
    /// In the order of the changes, of each message only the newest.
    pub changes: Vec<LoadedChange>,
}

/// The newest change of a message.
#[derive(Clone, Debug)]
pub struct LoadedChange {
    pub change: Change,
    /// The place of the message.
    pub seq: Seq,
    pub frame: EncodedFrame,
}

/// A change that has been published, with the message as it is since.
#[derive(Debug)]
struct Entry {
    change: LoadedChange,
    /// None of one that was loaded.
    message: Option<EncodedFrame>,
}

/// Those behind one place, up to another one.
#[derive(Clone, Copy, Debug)]
struct Known {
    after: Change,
    last: Change,
}

#[derive(Debug)]
pub(crate) struct ChangesTail {
    limits: TailLimits,
    /// None while nothing is known.
    known: Option<Known>,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Whether it goes back as far as it may.
    is_loaded: bool,
}

impl ChangesTail {
    pub(crate) fn new(limits: TailLimits) -> Self {
        Self {
            limits,
            known: None,
            entries: VecDeque::new(),
            bytes: 0,
            is_loaded: false,
        }
    }

    /// Whether loading could add something for a connection that has seen `since`, maybe
    /// at another process that is ahead of this one.
    pub(crate) fn needs_loading(&self, since: Change) -> bool {
        let is_ahead = self.last().is_some_and(|last| since > last);
        is_ahead || (!self.is_loaded && self.since(since).is_none())
    }

    /// The place of the newest change it knows of.
    pub(crate) fn last(&self) -> Option<Change> {
        self.known.map(|known| known.last)
    }

    /// What changed after `since`; none if it does not go back that far, or if there is
    /// no such place.
    pub(crate) fn since(&self, since: Change) -> Option<impl Iterator<Item = &EncodedFrame>> {
        let known = self.known?;
        let changes = self.entries.iter().map(|entry| &entry.change);
        (known.after <= since && since <= known.last).then(|| {
            let missed = changes.filter(move |change| change.change > since);
            missed.map(|change| &change.frame)
        })
    }

    /// Takes up a change that is being published. False if one in front of it was
    /// missed: then nobody knows what has happened to any message.
    pub(crate) fn push(&mut self, change: LoadedChange, message: EncodedFrame) -> bool {
        let number = change.change;
        let before = self.known;
        let after = match before {
            // It was loaded, from between its commit and this.
            Some(known) if number <= known.last => return true,
            Some(known) if number.0 == known.last.0 + 1 => known.after,
            _ => {
                self.begin_anew();
                Change(number.0 - 1)
            }
        };
        self.forget_message(change.seq);
        self.push_back(Entry {
            change,
            message: Some(message),
        });
        self.known = Some(Known {
            after,
            last: number,
        });
        self.trim();
        before.is_none_or(|known| known.last >= Change(number.0 - 1))
    }

    /// Takes up what was loaded, as far as it continues what is there. False if
    /// something is missing between the two: then nobody knows what has happened to
    /// messages that were loaded with it.
    pub(crate) fn extend(&mut self, loaded: LoadedChanges) -> bool {
        let LoadedChanges {
            last,
            after,
            changes,
        } = loaded;
        match self.known.filter(|known| known.last >= last) {
            Some(known) if known.after > last => return false,
            Some(known) => {
                let is_older = |change: &LoadedChange| change.change <= known.after;
                for change in changes.into_iter().rev().filter(is_older) {
                    if self.entries.iter().all(|e| e.change.seq != change.seq) {
                        self.push_front(Entry {
                            change,
                            message: None,
                        });
                    }
                }
                self.known = Some(Known {
                    after: known.after.min(after),
                    last: known.last,
                });
            }
            None => {
                self.begin_anew();
                self.known = Some(Known { after, last });
                for change in changes {
                    self.push_back(Entry {
                        change,
                        message: None,
                    });
                }
            }
        }
        self.trim();
        self.is_loaded = true;
        true
    }

    /// Messages whose newest change was published and is behind `since`, as they are now.
    pub(crate) fn changed_since(
        &self,
        since: Change,
    ) -> impl Iterator<Item = (Seq, &EncodedFrame)> {
        let behind = move |entry: &&Entry| entry.change.change > since;
        self.entries
            .iter()
            .filter(behind)
            .filter_map(|entry| Some((entry.change.seq, entry.message.as_ref()?)))
    }

    fn begin_anew(&mut self) {
        while self.drop_oldest().is_some() {}
        self.known = None;
        self.is_loaded = false;
    }

    fn trim(&mut self) {
        while self.entries.len() > self.limits.max_messages || self.bytes > self.limits.max_bytes {
            let Some(oldest) = self.drop_oldest() else {
                return;
            };
            if let Some(known) = &mut self.known {
                known.after = oldest;
            }
        }
    }

    /// Makes place for a newer change of the same message.
    fn forget_message(&mut self, seq: Seq) {
        let mut freed = 0;
        self.entries.retain(|entry| {
            let stays = entry.change.seq != seq;
            freed += if stays { 0 } else { cost_of(entry) };
            stays
        });
        self.shrink(freed);
    }

    fn push_back(&mut self, entry: Entry) {
        self.grow(cost_of(&entry));
        self.entries.push_back(entry);
    }

    fn push_front(&mut self, entry: Entry) {
        self.grow(cost_of(&entry));
        self.entries.push_front(entry);
    }

    fn drop_oldest(&mut self) -> Option<Change> {
        let oldest = self.entries.pop_front()?;
        self.shrink(cost_of(&oldest));
        Some(oldest.change.change)
    }

    fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.limits.count_in(bytes);
    }

    fn shrink(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.limits.count_out(bytes);
    }
}

impl Drop for ChangesTail {
    fn drop(&mut self) {
        self.begin_anew();
    }
}

fn cost_of(entry: &Entry) -> usize {
    cost(&entry.change.frame) + entry.message.as_ref().map_or(0, cost)
}

#[cfg(test)]
#[path = "changes_tail/tests.rs"]
mod tests;
