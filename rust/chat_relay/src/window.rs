//! How far a client may be ahead of the home: an edge stops reading from it once so
//! much is on its way, and goes on when the home has taken some of it.

/// In units of [`cost`].
pub(crate) const WINDOW: u32 = 256 * 1024;
/// What the home takes before it says so.
pub(crate) const REPORT: u32 = WINDOW / 2;
const LEAST_COST: u32 = 256;
/// The most messages of one client that are on their way.
pub(crate) const MAX_FRAMES: usize = (WINDOW / LEAST_COST) as usize;

/// What a message takes of the window. Never more than what the home is sure to give
/// back: until it reports, it keeps less than `REPORT`.
pub(crate) fn cost(message_bytes: usize) -> u32 {
    u32::try_from(message_bytes)
        .unwrap_or(u32::MAX)
        .clamp(LEAST_COST, WINDOW - REPORT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_sent_nobody_waits_for_ever(
            messages in prop::collection::vec(0usize..1_000_000, 1..200),
        ) {
            let (mut free, mut unreported) = (WINDOW, 0);
            let mut on_the_way = std::collections::VecDeque::new();
            for message in messages {
                let cost = cost(message);
                while free < cost {
                    let taken = on_the_way.pop_front();
                    prop_assert!(taken.is_some(), "the home waits too");
                    unreported += taken.unwrap_or(0);
                    if unreported >= REPORT {
                        free += std::mem::take(&mut unreported);
                    }
                }
                free -= cost;
                on_the_way.push_back(cost);
                prop_assert!(on_the_way.len() <= MAX_FRAMES);
            }
        }
    }
}
