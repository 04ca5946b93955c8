//! The time stamps of messages.
//!
//! Strictly ascending at the precision of the database, so that the order in
//! time is the order of the ids even for clients that look at the time alone.
//! In a group the times are a microsecond apart; under full load they run ahead
//! of the real time by less than the length of a group.

use chrono::{DateTime, TimeDelta, Utc};

use crate::timestamp::now;

const TICK: TimeDelta = TimeDelta::microseconds(1);
/// How far ahead of the clock a stored message may be to be waited for.
const TRUSTED_LEAD: TimeDelta = TimeDelta::seconds(60);

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    last: Option<DateTime<Utc>>,
}

impl Clock {
    /// Continues after the newest stored message, unless that one is from a
    /// future too far to be this clock set back a little.
    pub(super) fn starting_after(newest: Option<DateTime<Utc>>) -> Self {
        Self {
            last: newest.filter(|newest| *newest - now() <= TRUSTED_LEAD),
        }
    }

    pub(super) fn next(&mut self) -> DateTime<Utc> {
        self.next_at(now())
    }

    /// The next time will be behind this one.
    pub(super) fn continue_after(&mut self, time: DateTime<Utc>) {
        self.last = self.last.max(Some(time));
    }

    fn next_at(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let next = match self.last {
            Some(last) if last >= now => last + TICK,
            _ => now,
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_does_not_reorder_history() {
        let start = now();
        let mut clock = Clock { last: None };
        let times =
            [0, 0, -3_600, 1].map(|seconds| clock.next_at(start + TimeDelta::seconds(seconds)));
        assert_eq!(
            times,
            [
                start,
                start + TICK,
                start + TICK * 2,
                start + TimeDelta::seconds(1)
            ]
        );
    }

    #[test]
    fn a_stored_time_slightly_ahead_is_continued_and_one_far_ahead_is_not() {
        let ahead = now() + TimeDelta::seconds(50);
        assert_eq!(Clock::starting_after(Some(ahead)).next(), ahead + TICK);
        let far = now() + TimeDelta::seconds(120);
        assert!(Clock::starting_after(Some(far)).next() < far - TimeDelta::seconds(50));
    }
}
