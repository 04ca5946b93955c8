//! Threads on which use cases may block.
//!
//! A query on SQLite takes some microseconds, a hop to another thread and back
//! takes more, and a use case makes several. So a use case begins here, where
//! its queries run in place, and usually ends here. One that has to wait, for a
//! commit or a password, then goes on as a task of the runtime. As many threads as
//! cores, so that a burst of requests queues up here and not at the scheduler;
//! nothing but requests waits for them.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use crossbeam_channel::Sender;
use tokio::runtime::Handle;

use crate::first_wait::run_until_first_wait;

type Job = Box<dyn FnOnce() + Send>;

/// Runs `work` until it first waits, and the rest on the runtime.
pub(crate) fn begin(runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) {
    static JOBS: OnceLock<Sender<Job>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| start_threads(runtime));
    let rest = runtime.clone();
    let job: Job = Box::new(move || run_until_first_wait(&rest, work));
    if let Err(refused) = jobs.send(job) {
        // Not one thread could be started.
        runtime.spawn_blocking(refused.into_inner());
    }
}

fn start_threads(runtime: &Handle) -> Sender<Job> {
    let (sender, jobs) = crossbeam_channel::unbounded::<Job>();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for index in 0..cores {
        let (jobs, runtime) = (jobs.clone(), runtime.clone());
        let started = std::thread::Builder::new()
            .name(format!("chat-request-{index}"))
            .spawn(move || {
                let _runtime = runtime.enter();
                chat_server::allow_blocking_queries();
                for job in jobs {
                    // Who waits for a use case that panics is told by its completion.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            });
        if let Err(error) = started {
            tracing::error!(%error, "a request thread could not be started");
        }
    }
    sender
}
