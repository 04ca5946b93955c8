//! How many connections of a room have asked for which events.

use chat_protocol::{EventKind, EventKinds};

/// Counts by kind, so that what nobody wants makes no round.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asking([u32; EventKind::ALL.len()]);

impl Asking {
    pub(crate) fn count_in(&mut self, events: EventKinds) {
        for kind in events.iter() {
            self.0[kind as usize] += 1;
        }
    }

    pub(crate) fn count_out(&mut self, events: EventKinds) {
        for kind in events.iter() {
            self.0[kind as usize] = self.0[kind as usize].saturating_sub(1);
        }
    }

    /// Whether anybody has asked for events of this kind.
    pub(crate) fn for_kind(&self, kind: EventKind) -> bool {
        self.0[kind as usize] > 0
    }
}
