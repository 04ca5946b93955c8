//! All that the hub takes from outside to share state between threads and to take
//! turns on one: locks, atomics, queues, threads, tasks, and the clock.
//!
//! In one place because `rust/chat_hub_model` compiles the other files of this crate
//! with a `sync` of its own, whose scheduler tries out interleavings.

use std::future::Future;
use std::io;

use tokio::task::LocalSet;

pub(crate) use dashmap::{DashMap, Entry};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread::JoinHandle;
pub(crate) use tokio::sync::mpsc;
pub(crate) use tokio::task::{spawn_local, yield_now};
pub(crate) use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Readers of a room on its first shard, above which others share the room.
pub(crate) const READERS_BEFORE_SPREADING: u32 = 4096;
/// Readers of one room, or of any topics, that are written to before other rooms and tasks get a turn.
pub(crate) const READERS_PER_TURN: usize = 1024;
/// Commands that a shard takes from its queue at once.
pub(crate) const BATCH: usize = 256;

/// Starts a thread that runs a task, and whatever it spawns, until it has ended.
///
/// # Errors
/// If the system refuses the thread or its runtime.
pub(crate) fn spawn_thread<F: Future<Output = ()> + 'static>(
    name: String,
    task: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new().name(name).spawn(move || {
        let tasks = LocalSet::new();
        // A task like those it spawns, so that they all take turns: after a yield
        // the sessions whose sockets were readable have run.
        let task = tasks.spawn_local(task());
        if tasks.block_on(&runtime, task).is_err() {
            tracing::error!("a socket thread ended with a panic");
        }
    })
}
