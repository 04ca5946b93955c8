//! Password hashing away from everything that must stay quick.
//!
//! A hash takes a quarter of a second of a core. At most all cores but one hash
//! at a time, with the lowest priority; the rest of the log-ins wait their turn in
//! order. Where other programs fill the machine, that priority may get next to
//! nothing: then one thread of usual priority helps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select, unbounded};
use tokio::sync::oneshot;

use crate::error::ServiceError;
use crate::low_priority::lower_priority;

/// How long a hash may take before help comes. Beside a chat that keeps both of
/// two cores busy one takes up to a second.
const PATIENCE: Duration = Duration::from_secs(3);

/// May run twice, of which the first result counts.
type Job = Arc<dyn Fn() + Send + Sync>;

/// Its threads end when it is dropped.
#[derive(Debug)]
pub(crate) struct Passwords {
    jobs: Sender<Job>,
}

/// A job that a thread of low priority has begun.
struct Begun {
    job: Job,
    /// Closed when that thread is done with it.
    end: Receiver<()>,
}

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Internal` if the system refuses a thread.
    pub(crate) fn start() -> Result<Self, ServiceError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(cores.saturating_sub(1).max(1), PATIENCE)
    }

    fn with_threads(count: usize, patience: Duration) -> Result<Self, ServiceError> {
        let (jobs, queue) = unbounded();
        let (begun, watched) = unbounded();
        for index in 0..count {
            let (queue, begun) = (queue.clone(), begun.clone());
            start_thread(format!("chat-password-{index}"), move || {
                lower_priority();
                hash_in_turn(&queue, &begun);
            })?;
        }
        start_thread("chat-password-help".to_owned(), move || {
            help(&queue, &watched, patience);
        })?;
        Ok(Self { jobs })
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
        self.run(move || match &hash {
            Some(hash) => chat_auth::verify_password(&password, hash),
            None => {
                chat_auth::verify_nothing(&password);
                false
            }
        })
        .await
    }

    /// Waits for its turn and for the result.
    ///
    /// # Errors
    /// `Internal` if the job panicked.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<T, ServiceError> {
        let (done, result) = oneshot::channel();
        let done = Mutex::new(Some(done));
        let job: Job = Arc::new(move || {
            let value = work();
            let done = done.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Nobody waits any more if the request was dropped.
            let _ = done.map(|done| done.send(value));
        });
        let failed = |_| ServiceError::Internal("a password could not be hashed".to_owned());
        self.jobs.send(job).map_err(|_| failed(()))?;
        result.await.map_err(|_| failed(()))
    }
}

fn start_thread(name: String, work: impl FnOnce() + Send + 'static) -> Result<(), ServiceError> {
    let started = thread::Builder::new().name(name).spawn(work);
    started.map_err(|error| ServiceError::Internal(error.to_string()))?;
    Ok(())
}

fn hash_in_turn(queue: &Receiver<Job>, begun: &Sender<Begun>) {
    for job in queue {
        let (running, end) = bounded(0);
        let watched = Begun {
            job: Arc::clone(&job),
            end,
        };
        // Without help it runs all the same.
        let _ = begun.send(watched);
        run(&*job);
        drop::<Sender<()>>(running);
    }
}

/// Runs again what does not get on, and what waits behind it.
fn help(queue: &Receiver<Job>, begun: &Receiver<Begun>, patience: Duration) {
    for Begun { job, end } in begun {
        if end.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
            continue;
        }
        tracing::warn!(
            "log-ins are slow: other programs leave this one too little of the processors"
        );
        run(&*job);
        drop(job);
        loop {
            select! {
                recv(end) -> _ => break,
                recv(queue) -> next => match next {
                    Ok(next) => run(&*next),
                    Err(_) => return,
                },
            }
        }
    }
}

/// Who waits for a job that panics sees its channel close.
fn run(job: &dyn Fn()) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_does_not_get_on_is_helped_with_what_waits_behind_it() {
        let passwords = Passwords::with_threads(1, Duration::from_millis(10)).expect("threads");
        let stuck = Arc::new(Barrier::new(2));
        let runs = Arc::new(AtomicU32::new(0));
        let first = passwords.run({
            let (stuck, runs) = (Arc::clone(&stuck), Arc::clone(&runs));
            move || {
                let run = runs.fetch_add(1, Ordering::SeqCst);
                if run == 0 {
                    stuck.wait();
                }
                run
            }
        });
        assert_eq!(first.await.expect("the second run's result"), 1);
        assert_eq!(passwords.run(|| 7).await.expect("a result"), 7);
        stuck.wait();
        assert_eq!(passwords.run(|| 8).await.expect("a result"), 8);
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_panic_is_the_failure_of_its_job_alone() {
        let passwords = Passwords::with_threads(1, PATIENCE).expect("threads");
        let failed = passwords.run(|| panic!("on purpose"));
        assert!(matches!(failed.await, Err(ServiceError::Internal(_))));
        assert_eq!(passwords.run(|| 7).await.expect("a result"), 7);
    }
}
