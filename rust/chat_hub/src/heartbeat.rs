//! Pings without a timer per connection: a wheel of due times per shard.
//!
//! Each open connection stands in the wheel once. When it is due it is either
//! pinged, found without a pong in time (and ended), or put back for the next
//! ping. Times are ticks of 50 ms since the shard started.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::connection::ConnectionId;

pub(crate) const TICK: Duration = Duration::from_millis(50);

/// How often a peer is pinged and how long its pong may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// From one ping to the next.
    pub interval: Duration,
    /// From a ping to its pong, at the latest.
    pub timeout: Duration,
}

/// Due times of the connections of a shard.
#[derive(Debug, Default)]
pub(crate) struct HeartbeatWheel {
    due: BTreeSet<(u64, ConnectionId)>,
}

impl HeartbeatWheel {
    /// Puts a connection in, which is not there.
    pub(crate) fn schedule(&mut self, connection: ConnectionId, pulse: &Pulse, tick: u64) {
        pulse.due.set(tick);
        self.due.insert((tick, connection));
    }

    /// Takes a connection out that has ended, so that connections that come and
    /// go leave nothing here.
    pub(crate) fn remove(&mut self, connection: ConnectionId, pulse: &Pulse) {
        self.due.remove(&(pulse.due.get(), connection));
    }

    /// The earliest tick at which something is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.due.first().map(|(tick, _)| *tick)
    }

    /// Takes out the connections that are due at `tick` or were before.
    pub(crate) fn take_due(&mut self, tick: u64) -> Vec<ConnectionId> {
        let later = self.due.split_off(&(tick + 1, ConnectionId(0)));
        let due = std::mem::replace(&mut self.due, later);
        due.into_iter().map(|(_, connection)| connection).collect()
    }
}

/// What to do with a connection that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Send a ping and look again at that tick.
    Ping { again_at: u64 },
    /// The pong is in, or may still come; look again at that tick.
    Wait { until: u64 },
    /// No pong in time.
    Dead,
}

/// The heartbeat of one connection.
#[derive(Debug)]
pub(crate) struct Pulse {
    heartbeat: Heartbeat,
    state: Cell<PulseState>,
    /// Where it stands in the wheel.
    due: Cell<u64>,
}

#[derive(Clone, Copy, Debug)]
enum PulseState {
    Resting,
    Pinged { at: u64 },
    Answered { pinged_at: u64 },
}

impl Pulse {
    pub(crate) fn new(heartbeat: Heartbeat) -> Self {
        Self {
            heartbeat,
            state: Cell::new(PulseState::Resting),
            due: Cell::new(0),
        }
    }

    pub(crate) fn first_due(&self, now: u64) -> u64 {
        now + ticks(self.heartbeat.interval)
    }

    pub(crate) fn pong_received(&self) {
        if let PulseState::Pinged { at } = self.state.get() {
            self.state.set(PulseState::Answered { pinged_at: at });
        }
    }

    pub(crate) fn beat(&self, now: u64) -> Beat {
        match self.state.get() {
            PulseState::Pinged { at } => {
                let end = at + ticks(self.heartbeat.timeout);
                if now >= end {
                    return Beat::Dead;
                }
                Beat::Wait {
                    until: end.min(now + ticks(self.heartbeat.interval)),
                }
            }
            PulseState::Answered { pinged_at }
                if pinged_at + ticks(self.heartbeat.interval) > now =>
            {
                self.state.set(PulseState::Resting);
                Beat::Wait {
                    until: pinged_at + ticks(self.heartbeat.interval),
                }
            }
            PulseState::Answered { .. } | PulseState::Resting => {
                self.state.set(PulseState::Pinged { at: now });
                Beat::Ping {
                    again_at: now + ticks(self.heartbeat.timeout.min(self.heartbeat.interval)),
                }
            }
        }
    }
}

fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis().div_ceil(TICK.as_millis()))
        .unwrap_or(u64::MAX / 4)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: Heartbeat = Heartbeat {
        interval: Duration::from_secs(20),
        timeout: Duration::from_secs(10),
    };

    #[test]
    fn an_answering_peer_is_pinged_at_the_interval() {
        let pulse = Pulse::new(HEARTBEAT);
        assert_eq!(pulse.first_due(0), 400);
        assert_eq!(pulse.beat(400), Beat::Ping { again_at: 600 });
        pulse.pong_received();
        assert_eq!(pulse.beat(600), Beat::Wait { until: 800 });
        assert_eq!(pulse.beat(800), Beat::Ping { again_at: 1000 });
    }

    #[test]
    fn a_silent_peer_is_dead_after_the_timeout() {
        let pulse = Pulse::new(HEARTBEAT);
        pulse.pong_received(); // Unsolicited: proves nothing about the ping to come.
        assert_eq!(pulse.beat(400), Beat::Ping { again_at: 600 });
        assert_eq!(pulse.beat(600), Beat::Dead);
    }

    // Proxies end what is idle: whoever lowers the interval for that means it,
    // and leaves the timeout as it is.
    #[test]
    fn a_timeout_beyond_the_interval_does_not_delay_pings() {
        let pulse = Pulse::new(Heartbeat {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
        });
        assert_eq!(pulse.beat(20), Beat::Ping { again_at: 40 });
        pulse.pong_received();
        assert_eq!(pulse.beat(40), Beat::Ping { again_at: 60 });
        // A late pong is a pong.
        assert_eq!(pulse.beat(60), Beat::Wait { until: 80 });
        pulse.pong_received();
        assert_eq!(pulse.beat(80), Beat::Ping { again_at: 100 });
        for tick in [100, 120, 140, 160] {
            assert_eq!(pulse.beat(tick), Beat::Wait { until: tick + 20 });
        }
        assert_eq!(pulse.beat(180), Beat::Dead);
    }

    #[test]
    fn the_wheel_gives_what_is_due_and_keeps_the_rest() {
        let mut wheel = HeartbeatWheel::default();
        for (id, tick) in [(1, 5), (2, 7), (3, 7), (4, 8)] {
            wheel.schedule(ConnectionId(id), &Pulse::new(HEARTBEAT), tick);
        }
        assert_eq!(
            wheel.take_due(7),
            [ConnectionId(1), ConnectionId(2), ConnectionId(3)]
        );
        assert_eq!(wheel.take_due(7), []);
        assert_eq!(wheel.take_due(100), [ConnectionId(4)]);
    }

    #[test]
    fn the_wheel_keeps_nothing_of_a_connection_that_has_ended() {
        let mut wheel = HeartbeatWheel::default();
        let pulse = Pulse::new(HEARTBEAT);
        wheel.schedule(ConnectionId(1), &pulse, 5);
        assert_eq!(wheel.take_due(5), [ConnectionId(1)]);
        wheel.schedule(ConnectionId(1), &pulse, 7);
        wheel.remove(ConnectionId(1), &pulse);
        assert_eq!(wheel.next_due(), None);
    }
}
