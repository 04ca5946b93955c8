//! Password hashing away from everything that must stay quick.
//!
//! A hash takes a quarter of a second of a core. At most all cores but one hash
//! at a time, on threads of a lower priority, so that a thread that delivers
//! gets its core at once; the rest of the log-ins wait their turn in order.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::Sender;
use tokio::sync::oneshot;

use crate::error::ServiceError;

/// The lowest. With a core to spare, a log-in takes as long as ever; without one,
/// deliveries come first. (With 10, the slowest delivery came 10 to 17 ms later
/// beside 48 queued log-ins on two cores; with 19 it came no later.)
#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;

type Job = Box<dyn FnOnce() + Send>;

/// Its threads end when it is dropped.
#[derive(Debug)]
pub(crate) struct Passwords {
    jobs: Sender<Job>,
}

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Internal` if the system refuses a thread.
    pub(crate) fn start() -> Result<Self, ServiceError> {
        let (sender, jobs) = crossbeam_channel::unbounded::<Job>();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for index in 0..cores.saturating_sub(1).max(1) {
            let jobs = jobs.clone();
            std::thread::Builder::new()
                .name(format!("chat-password-{index}"))
                .spawn(move || {
                    lower_priority();
                    for job in jobs {
                        // Who waits for a job that panics sees its channel close.
                        let _ = catch_unwind(AssertUnwindSafe(job));
                    }
                })
                .map_err(|error| ServiceError::Internal(error.to_string()))?;
        }
        Ok(Self { jobs: sender })
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
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits any more if the request was dropped.
            let _ = done.send(work());
        });
        let failed = |_| ServiceError::Internal("a password could not be hashed".to_owned());
        self.jobs.send(job).map_err(|_| failed(()))?;
        result.await.map_err(|_| failed(()))
    }
}

/// Of the calling thread only: what POSIX calls a process is a thread for Linux here.
#[cfg(target_os = "linux")]
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the priority of a password thread stays as it is");
    }
}

/// Other systems have no niceness per thread.
#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
