//! Password hashing away from everything that must stay quick.
//!
//! A hash takes a quarter of a second of a core. At most all cores but one hash
//! at a time; the rest of the log-ins wait their turn in order.

use crate::error::ServiceError;
use crate::low_priority::LowPriorityThreads;

/// Its threads end when it is dropped.
#[derive(Debug)]
pub(crate) struct Passwords {
    threads: LowPriorityThreads,
}

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Internal` if the system refuses a thread.
    pub(crate) fn start() -> Result<Self, ServiceError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = LowPriorityThreads::start("password", cores.saturating_sub(1).max(1))?;
        Ok(Self { threads })
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, ServiceError> {
        self.threads
            .run(move || chat_auth::hash_password(&password))
            .await?
            .map_err(|error| ServiceError::Internal(error.to_string()))
    }

    /// Whether the password matches; without a hash the same time passes.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, ServiceError> {
        self.threads
            .run(move || match hash {
                Some(hash) => chat_auth::verify_password(&password, &hash),
                None => {
                    chat_auth::verify_nothing(&password);
                    false
                }
            })
            .await
    }
}
