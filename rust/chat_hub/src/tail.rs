//! The newest messages of a room, encoded, for connections that come back.
//!
//! A tail exists while somebody comes back, and for a minute after: the first one
//! after a restart has it loaded, the others find it here, and what is published
//! meanwhile joins it. It never has a gap: what does not continue it begins it anew.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_protocol::EncodedFrame;
use chat_protocol::ids::{Change, Seq};

use crate::sync::{AtomicUsize, Instant};

use crate::changes_tail::{ChangesTail, LoadedChange, LoadedChanges};

/// How long a tail is kept for the next one who comes back.
const KEPT: Duration = Duration::from_secs(60);
/// What the tails of all rooms may take together, about; beyond it none is kept.
const ALL_MAX_BYTES: usize = 64 * 1024 * 1024;
/// What a frame takes beside its bytes, about.
const FRAME_OVERHEAD_BYTES: usize = 128;

/// What the tails of a process have in common.
#[derive(Clone, Debug)]
pub(crate) struct TailLimits {
    /// Messages that a connection may have missed and get.
    pub(crate) max_messages: usize,
    /// Bytes that they may have together.
    pub(crate) max_bytes: usize,
    bytes_of_all: Arc<AtomicUsize>,
}

impl TailLimits {
    pub(crate) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            max_messages,
            max_bytes,
            bytes_of_all: Arc::default(),
        }
    }

    /// For the changes of a room, beside its messages.
    fn for_changes(&self) -> Self {
        Self {
            max_bytes: self.max_bytes / 2,
            ..self.clone()
        }
    }

    pub(crate) fn count_in(&self, bytes: usize) {
        self.bytes_of_all.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, bytes: usize) {
        self.bytes_of_all.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The newest messages of a room, as the database has them.
#[derive(Clone, Debug)]
pub struct LoadedTail {
    /// The place of the newest one; zero in a room without messages.
    pub last: Seq,
    /// In order, without gaps, up to `last`.
    pub frames: Vec<EncodedFrame>,
    /// Read before the messages; none where messages do not change.
    pub changes: Option<LoadedChanges>,
}

#[derive(Debug)]
pub(crate) struct Tail {
    limits: TailLimits,
    /// The place of the newest message; none while nothing is known.
    last: Option<Seq>,
    /// Those up to `last`.
    frames: VecDeque<EncodedFrame>,
    bytes: usize,
    /// Whether it goes back as far as it may.
    is_loaded: bool,
    pub(crate) changes: ChangesTail,
    used_at: Instant,
}

impl Tail {
    pub(crate) fn new(limits: TailLimits) -> Self {
        Self {
            changes: ChangesTail::new(limits.for_changes()),
            limits,
            last: None,
            frames: VecDeque::new(),
            bytes: 0,
            is_loaded: false,
            used_at: Instant::now(),
        }
    }

    pub(crate) fn note_use(&mut self) {
        self.used_at = Instant::now();
    }

    /// Whether nobody is likely to need it any more.
    pub(crate) fn is_stale(&self) -> bool {
        self.used_at.elapsed() > KEPT
            || self.limits.bytes_of_all.load(Ordering::Relaxed) > ALL_MAX_BYTES
    }

    /// Whether loading could add something for a connection that has seen `since`, maybe
    /// at another process that is ahead of this one.
    pub(crate) fn needs_loading(&self, since: Seq) -> bool {
        let is_ahead = self.last.is_some_and(|last| since > last);
        is_ahead || (!self.is_loaded && self.since(since).is_none())
    }

    /// The place of the newest message it knows of.
    pub(crate) fn last(&self) -> Option<Seq> {
        self.last
    }

    /// What comes after `since`; none if it does not go back that far, or if there
    /// is no such place.
    pub(crate) fn since(&self, since: Seq) -> Option<impl Iterator<Item = &EncodedFrame>> {
        let missed = usize::try_from(self.last?.0 - since.0).ok()?;
        let skip = self.frames.len().checked_sub(missed)?;
        Some(self.frames.iter().skip(skip))
    }

    /// Takes up a message that is being published.
    pub(crate) fn push(&mut self, seq: Seq, frame: &EncodedFrame) {
        match self.last {
            // It was loaded, from between its commit and this.
            Some(last) if seq <= last => return,
            Some(last) if seq == last.next() => {}
            _ => self.begin_anew(),
        }
        self.last = Some(seq);
        self.push_back(frame.clone());
        self.trim();
    }

    /// Takes up a change of a message that is being published, and the message as it
    /// is from now on.
    pub(crate) fn push_change(&mut self, change: LoadedChange, message: EncodedFrame) {
        let last = self.last.unwrap_or_default();
        if let Some(place) = place_of(change.seq, last, self.frames.len()) {
            let before = std::mem::replace(&mut self.frames[place], message.clone());
            self.shrink(&before);
            self.grow(&message);
            self.trim();
        }
        if !self.changes.push(change, message) {
            self.begin_anew();
        }
    }

    /// Takes up what was loaded, as far as it continues what is there.
    pub(crate) fn extend(&mut self, mut loaded: LoadedTail) {
        if let Some(changes) = loaded.changes.take() {
            let known = changes.last;
            if !self.changes.extend(changes) {
                return;
            }
            self.bring_up_to_date(&mut loaded, known);
        }
        match self.last.filter(|last| *last >= loaded.last) {
            Some(last) => {
                let first = last.0 - as_place(self.frames.len()) + 1;
                let Ok(known) = usize::try_from(loaded.last.0 - (first - 1)) else {
                    // Between the two something is missing.
                    return;
                };
                for frame in loaded.frames.into_iter().rev().skip(known) {
                    self.grow(&frame);
                    self.frames.push_front(frame);
                }
            }
            None => {
                self.begin_anew();
                self.last = Some(loaded.last);
                for frame in loaded.frames {
                    self.push_back(frame);
                }
            }
        }
        self.trim();
        self.is_loaded = true;
    }

    /// Puts in what was changed while the messages were loaded, or after that.
    fn bring_up_to_date(&self, loaded: &mut LoadedTail, known: Change) {
        for (seq, message) in self.changes.changed_since(known) {
            if let Some(place) = place_of(seq, loaded.last, loaded.frames.len()) {
                loaded.frames[place] = message.clone();
            }
        }
    }

    fn push_back(&mut self, frame: EncodedFrame) {
        self.grow(&frame);
        self.frames.push_back(frame);
    }

    pub(crate) fn begin_anew(&mut self) {
        while self.drop_oldest() {}
        self.is_loaded = false;
    }

    fn trim(&mut self) {
        while (self.frames.len() > self.limits.max_messages || self.bytes > self.limits.max_bytes)
            && self.drop_oldest()
        {}
    }

    fn grow(&mut self, frame: &EncodedFrame) {
        let bytes = cost(frame);
        self.bytes += bytes;
        self.limits.count_in(bytes);
    }

    fn shrink(&mut self, frame: &EncodedFrame) {
        let bytes = cost(frame);
        self.bytes -= bytes;
        self.limits.count_out(bytes);
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.frames.pop_front() else {
            return false;
        };
        self.shrink(&oldest);
        true
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.begin_anew();
    }
}

/// Where a message stands among so many, of which that is the last.
fn place_of(seq: Seq, last: Seq, count: usize) -> Option<usize> {
    let newer = usize::try_from(last.0 - seq.0).ok()?;
    count.checked_sub(newer.checked_add(1)?)
}

pub(crate) fn cost(frame: &EncodedFrame) -> usize {
    frame.wire_bytes().len() + FRAME_OVERHEAD_BYTES
}

fn as_place(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

// With its path, since the model check takes this file by one too.
#[cfg(test)]
#[path = "tail/tests.rs"]
mod tests;
