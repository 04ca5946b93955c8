//! Whether somebody is waiting for the disk who is more important than files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// For so long after it was last needed, the disk counts as needed.
const LASTING: Duration = Duration::from_secs(1);

/// Shared by those who store messages and those who store files. Clones are the same.
#[derive(Clone, Debug)]
pub struct Foreground {
    start: Instant,
    /// Milliseconds from the start to the end of the need; 0 before the first.
    until: Arc<AtomicU64>,
}

impl Foreground {
    /// Nobody waits.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            until: Arc::default(),
        }
    }

    /// Somebody is about to wait for the disk.
    pub fn touch(&self) {
        let until = self.start.elapsed() + LASTING;
        self.until
            .store(until.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn is_active(&self) -> bool {
        self.start.elapsed().as_millis() < u128::from(self.until.load(Ordering::Relaxed))
    }
}

impl Default for Foreground {
    fn default() -> Self {
        Self::new()
    }
}
