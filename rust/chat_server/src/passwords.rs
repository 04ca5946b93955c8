//! Password hashing away from everything that must stay quick.
//!
//! A hash takes a quarter of a second of a core. At most all cores but one hash
//! at a time; the rest of the log-ins wait their turn in order.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::ServiceError;

#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    hashing: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            hashing: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))),
        }
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, ServiceError> {
        self.run(move || chat_auth::hash_password(&password))
            .await?
            .map_err(|error| ServiceError::Internal(error.to_string()))
    }

    /// Whether the password matches; without a hash the same time passes.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, ServiceError> {
        self.run(move || match hash {
            Some(hash) => chat_auth::verify_password(&password, &hash),
            None => {
                chat_auth::verify_nothing(&password);
                false
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let _turn = self.hashing.acquire().await;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| ServiceError::Internal(error.to_string()))
    }
}
