//! The promise that the server processes of a database know of each other.
//!
//! Rooms live in the memory of processes; one that does not know the others would
//! split them silently. Both back ends lock something that the operating
//! system or the server frees when the holder crashes. This file holds the
//! claims, the handle and the waiting; how to lock is in `postgres` and `sqlite`.

use std::fmt;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::DatabaseError;

/// How long to wait for the lock, so that a quick restart, where the old
/// process is still closing, does not trip over it.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// What a process wants the database for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// To be the only one.
    Only,
    /// To be one of several that tell each other what happens.
    Member,
    /// To be the one of these members that does what one has to do. Waits for it as
    /// long as it takes.
    Home,
}

/// The lock that this process holds; dropping it lets go.
pub struct InstanceLock {
    holder: Holder,
}

enum Holder {
    /// The open, locked file.
    File(std::fs::File),
    /// The task that owns the locking session.
    Session {
        task: JoinHandle<()>,
        /// Dropped to tell the task to unlock and end.
        release: oneshot::Sender<()>,
        /// The reason, once another process has the lock.
        lost: watch::Receiver<Option<String>>,
    },
}

impl InstanceLock {
    pub(crate) fn from_file(file: std::fs::File) -> Self {
        Self {
            holder: Holder::File(file),
        }
    }

    pub(crate) fn from_session(
        task: JoinHandle<()>,
        release: oneshot::Sender<()>,
        lost: watch::Receiver<Option<String>>,
    ) -> Self {
        Self {
            holder: Holder::Session {
                task,
                release,
                lost,
            },
        }
    }

    /// Waits until another process has taken the lock over, and says how that
    /// came about. Does not return as long as the lock is held, or is being
    /// fetched again after the server was away.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn lost(&self) -> String {
        if let Holder::Session { lost, .. } = &self.holder {
            let mut lost = lost.clone();
            if let Ok(reason) = lost.wait_for(Option::is_some).await {
                return reason.clone().unwrap_or_default();
            }
        }
        std::future::pending().await
    }

    /// Lets go at once, so that the next process need not wait.
    pub async fn release(self) {
        match self.holder {
            Holder::File(file) => {
                // Closing the file, which follows, unlocks it as well.
                if let Err(error) = file.unlock() {
                    tracing::warn!(%error, "could not unlock the instance lock");
                }
            }
            Holder::Session { task, release, .. } => {
                drop(release);
                // An error can only mean that the task is gone already.
                let _ = task.await;
            }
        }
    }
}

impl fmt::Debug for InstanceLock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InstanceLock")
            .finish_non_exhaustive()
    }
}

/// Limits how long somebody tries to get the lock.
pub(crate) struct Patience {
    /// None: for ever.
    deadline: Option<Instant>,
}

impl Patience {
    pub(crate) fn begin(claim: Claim) -> Self {
        let is_limited = claim != Claim::Home;
        Self {
            deadline: is_limited.then(|| Instant::now() + PATIENCE),
        }
    }

    /// Pauses before the next attempt.
    ///
    /// # Errors
    /// [`DatabaseError::InstanceRunning`] when ten seconds are over.
    pub(crate) async fn pause(&self) -> Result<(), DatabaseError> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(DatabaseError::InstanceRunning);
        }
        tokio::time::sleep(RETRY_EVERY).await;
        Ok(())
    }
}
