//! Threads for work that takes long and may wait: passwords, thumbnails, uploads.
//!
//! They have the lowest priority, so that a thread that delivers gets its core at
//! once. (With niceness 10, the slowest delivery came 10 to 17 ms later beside 48
//! queued log-ins on two cores; with 19 it came no later.)

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::Sender;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::ServiceError;

#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that runs jobs in their order. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct LowPriorityThread {
    jobs: Sender<Job>,
}

impl LowPriorityThread {
    /// Starts it, called `chat-<name>`.
    ///
    /// # Errors
    /// `Internal` if the system refuses a thread.
    pub(crate) fn start(name: &str) -> Result<Self, ServiceError> {
        let (sender, jobs) = crossbeam_channel::unbounded::<Job>();
        std::thread::Builder::new()
            .name(format!("chat-{name}"))
            .spawn(move || {
                lower_priority();
                for job in jobs {
                    // Who waits for a job that panics sees its channel close.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            })
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        Ok(Self { jobs: sender })
    }

    /// Waits for its turn and for the result.
    ///
    /// # Errors
    /// `Internal` if the job panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits any more if the request was dropped.
            let _ = done.send(work());
        });
        let failed = |_| ServiceError::Internal("a job of low priority failed".to_owned());
        self.jobs.send(job).map_err(|_| failed(()))?;
        result.await.map_err(|_| failed(()))
    }
}

/// A runtime on one such thread, for asynchronous work of that kind; the threads it
/// starts for blocking calls have the same priority. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct LowPriorityRuntime {
    handle: Handle,
    _end: DropGuard,
}

impl LowPriorityRuntime {
    /// Starts the thread, called `chat-<name>`.
    ///
    /// # Errors
    /// `Internal` if the system refuses a thread.
    pub(crate) fn start(name: &str) -> Result<Self, ServiceError> {
        let name = format!("chat-{name}");
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name(&name)
            .build()
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        let handle = runtime.handle().clone();
        let end = CancellationToken::new();
        let ended = end.clone();
        std::thread::Builder::new()
            .name(name)
            .spawn(move || {
                lower_priority();
                runtime.block_on(ended.cancelled());
            })
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        Ok(Self {
            handle,
            _end: end.drop_guard(),
        })
    }

    /// Runs something there and waits for the result.
    ///
    /// # Errors
    /// `Internal` if it panicked, or the runtime has ended.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let result = self.handle.spawn(work).await;
        result.map_err(|error| ServiceError::Internal(error.to_string()))
    }
}

/// Of the calling thread only: what POSIX calls a process is a thread for Linux here.
#[cfg(target_os = "linux")]
pub(crate) fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the priority of a thread stays as it is");
    }
}

/// Other systems have no niceness per thread.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lower_priority() {}
