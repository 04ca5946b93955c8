//! How far a sender may be ahead of who receives: what is on its way, in bytes, fits into
//! a window, which the receiver opens again as it takes things.

use tokio::sync::Semaphore;

/// A client of an edge, ahead of its session at the home: the edge reads no more from it.
pub(crate) const FROM_CLIENT: Window = Window { size: 256 * 1024 };
/// The home, ahead of an edge. What is for clients gathers in their outboxes, so that
/// those end who get more than can be brought to them.
pub(crate) const TO_EDGE: Window = Window {
    size: 8 * 1024 * 1024,
};

const LEAST_COST: u32 = 256;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    size: u32,
}

impl Window {
    /// What may be sent now.
    pub(crate) fn open(self) -> Semaphore {
        Semaphore::new(self.size as usize)
    }

    /// What a message takes of the window. Never more than what the receiver is sure to
    /// give back: until it reports, it keeps less than half of the window.
    pub(crate) fn cost(self, message_bytes: usize) -> u32 {
        u32::try_from(message_bytes)
            .unwrap_or(u32::MAX)
            .clamp(LEAST_COST, self.size / 2)
    }

    /// Whether the receiver says now that it has taken so much.
    pub(crate) fn is_to_be_reported(self, taken: u32) -> bool {
        taken >= self.size / 2
    }

    /// Opens it again.
    pub(crate) fn report(self, window: &Semaphore, taken: u32) {
        window.add_permits(taken.min(self.size) as usize);
    }

    /// The most messages that are on their way.
    pub(crate) const fn max_messages(self) -> usize {
        (self.size / LEAST_COST) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_sent_nobody_waits_for_ever(
            messages in prop::collection::vec(0usize..1_000_000, 1..200),
        ) {
            let window = FROM_CLIENT;
            let free = window.open();
            let (mut taken, mut on_the_way) = (0, VecDeque::new());
            for message in messages {
                let cost = window.cost(message);
                while free.available_permits() < cost as usize {
                    let received = on_the_way.pop_front();
                    prop_assert!(received.is_some(), "the receiver waits too");
                    taken += received.unwrap_or(0);
                    if window.is_to_be_reported(taken) {
                        window.report(&free, std::mem::take(&mut taken));
                    }
                }
                free.forget_permits(cost as usize);
                on_the_way.push_back(cost);
                prop_assert!(on_the_way.len() <= window.max_messages());
            }
        }
    }
}
