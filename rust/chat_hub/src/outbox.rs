//! What could not be written to a connection yet, bounded in bytes.
//!
//! Frames are shared with all other readers, so an outbox holds references. The
//! first entry may be partly written; the rest of it must go out before anything
//! else, or the peer sees a torn frame.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes};
use smallvec::SmallVec;

/// As many pieces as one vectored write takes.
pub(crate) const MAX_SLICES: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: VecDeque<Bytes>,
    bytes: usize,
    first_is_partial: bool,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes waiting.
    pub(crate) fn len_bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.entries.push_back(frame);
    }

    /// Queues a frame of which `written` bytes have already gone out.
    pub(crate) fn push_partial(&mut self, mut frame: Bytes, written: usize) {
        debug_assert!(
            self.entries.is_empty(),
            "only the first entry can be partly written"
        );
        self.first_is_partial = written > 0;
        frame.advance(written);
        self.push(frame);
    }

    /// Whether one more frame of this size would pass the bound. An empty outbox takes any frame.
    pub(crate) fn would_overflow(&self, frame_bytes: usize, max_bytes: usize) -> bool {
        !self.entries.is_empty() && self.bytes + frame_bytes > max_bytes
    }

    /// Drops everything but the rest of a frame that the peer has seen the start of.
    pub(crate) fn keep_only_partial(&mut self) {
        self.entries.truncate(usize::from(self.first_is_partial));
        self.bytes = self.entries.iter().map(Bytes::len).sum();
    }

    pub(crate) fn slices(&self) -> SmallVec<[IoSlice<'_>; MAX_SLICES]> {
        self.entries
            .iter()
            .take(MAX_SLICES)
            .map(|entry| IoSlice::new(entry))
            .collect()
    }

    /// Removes `written` bytes from the front; memory is given back once empty.
    pub(crate) fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(first) = self.entries.front_mut() {
            if written < first.len() {
                self.first_is_partial |= written > 0;
                first.advance(written);
                return;
            }
            written -= first.len();
            self.entries.pop_front();
            self.first_is_partial = false;
        }
        self.entries = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_frame_survives_the_overflow() {
        let mut outbox = Outbox::default();
        outbox.push_partial(Bytes::from_static(b"abcdef"), 2);
        outbox.push(Bytes::from_static(b"ghi"));
        assert!(outbox.would_overflow(1, 7));
        outbox.keep_only_partial();
        assert_eq!(outbox.slices()[0].to_vec(), b"cdef");
        assert_eq!(outbox.len_bytes(), 4);
    }

    #[test]
    fn whole_frames_do_not_survive_the_overflow() {
        let mut outbox = Outbox::default();
        outbox.push_partial(Bytes::from_static(b"abcdef"), 0);
        outbox.push(Bytes::from_static(b"ghi"));
        outbox.advance(6);
        outbox.keep_only_partial();
        assert!(outbox.is_empty());
    }

    #[test]
    fn advancing_stops_inside_a_frame() {
        let mut outbox = Outbox::default();
        for frame in [&b"ab"[..], b"cd", b"ef"] {
            outbox.push(Bytes::from_static(frame));
        }
        outbox.advance(3);
        assert_eq!(
            outbox
                .slices()
                .iter()
                .map(|slice| slice.to_vec())
                .collect::<Vec<_>>(),
            [&b"d"[..], b"ef"]
        );
        outbox.advance(3);
        assert!(outbox.is_empty());
        assert_eq!(outbox.len_bytes(), 0);
    }

    #[test]
    fn an_empty_outbox_takes_any_frame() {
        assert!(!Outbox::default().would_overflow(1_000, 10));
    }
}
