//! A point in time as a source of events: `epoll_wait` itself only knows whole
//! milliseconds, and messages are due more often.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::error::BenchError;

#[derive(Debug)]
pub(crate) struct Timer {
    descriptor: OwnedFd,
    set_for: Option<Instant>,
}

impl Timer {
    pub(crate) fn new(registry: &Registry, token: Token) -> Result<Self, BenchError> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(
            &mut SourceFd(&descriptor.as_raw_fd()),
            token,
            Interest::READABLE,
        )?;
        Ok(Self {
            descriptor,
            set_for: None,
        })
    }

    /// Makes an event at `when`; setting it again is what clears the last one.
    pub(crate) fn set(&mut self, when: Instant) -> Result<(), BenchError> {
        if self.set_for == Some(when) {
            return Ok(());
        }
        let left = when.saturating_duration_since(Instant::now());
        // Zero would switch it off.
        let left = left.max(Duration::from_nanos(1));
        let value = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(left).map_err(|_| BenchError::Plan("too far away"))?,
        };
        timerfd_settime(&self.descriptor, TimerfdTimerFlags::empty(), &value)?;
        self.set_for = Some(when);
        Ok(())
    }
}
