//! How many frames a client may send: a token bucket per connection.
//!
//! Nobody is closed for sending too much. A connection that is over its rate is
//! not read for a while, so that TCP makes the client wait.
//!
//! The bucket is a point in time and a price (GCRA). The `governor` crate does
//! the same in 40 bytes with a clock of its own; but it refuses a batch larger
//! than its burst where this one goes into debt, and frames are known only once
//! they are read.

use std::time::Duration;

use chat_hub::Connection;
use tokio::time::{Instant, sleep_until};

/// What a client may send at once after a pause: as much as in this time.
const BURST: Duration = Duration::from_secs(1);
/// The longest pause between two signs of life to the heartbeat.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// What one connection may still send.
#[derive(Debug)]
pub struct FrameBudget {
    price: Duration,
    /// When everything sent so far would have come at exactly the allowed rate.
    paid_until: Instant,
}

impl FrameBudget {
    /// A full bucket.
    pub fn new(max_frames_per_second: u32) -> Self {
        Self {
            price: Duration::from_secs(1) / max_frames_per_second.max(1),
            paid_until: Instant::now(),
        }
    }

    /// Takes frames that came now, and says until when no more may be read.
    pub fn charge(&mut self, frames: usize, now: Instant) -> Option<Instant> {
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        self.paid_until = self.paid_until.max(now) + self.price.saturating_mul(frames);
        let read_again = self.paid_until - BURST;
        (read_again > now).then_some(read_again)
    }
}

/// Lets a connection rest unread until `read_again`, or until it ends.
pub async fn pause(connection: &Connection, read_again: Instant) {
    while connection.is_open() && Instant::now() < read_again {
        // Its pong may be among what is not read; that it sends proves that it lives.
        connection.pong_received();
        let step = read_again.min(Instant::now() + LONGEST_STEP);
        tokio::select! {
            () = sleep_until(step) => {}
            () = connection.closing() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_the_rest_comes_at_the_rate() {
        let mut budget = FrameBudget::new(100);
        let start = budget.paid_until;
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(budget.charge(100, start), None);
        assert_eq!(budget.charge(1, start), Some(after(10)));
        assert_eq!(budget.charge(1, after(10)), Some(after(20)));
        // A batch larger than the burst is a debt.
        assert_eq!(budget.charge(300, after(20)), Some(after(3020)));
        assert_eq!(budget.charge(1, after(3020)), Some(after(3030)));
    }

    #[test]
    fn silence_earns_one_burst_and_not_more() {
        let mut budget = FrameBudget::new(100);
        let later = budget.paid_until + Duration::from_secs(60);
        assert_eq!(budget.charge(100, later), None);
        assert!(budget.charge(1, later).is_some());
    }
}
