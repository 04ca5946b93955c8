//! What the hub shares state with and takes turns by, under the scheduler.
//!
//! A thread of the hub polls its tasks one after the other, as a `LocalSet` does.
//! Time does not pass by itself: a timer expires at some moment, drawn by lot, and
//! one that is far away never does. So neither a wake-up that is lost nor a close that
//! hangs is made good by a timer, and a run in which everybody waits is a deadlock.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::ops::{Add, AddAssign, Sub};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, Stream as _};
use shuttle::rand::Rng as _;

pub(crate) use shuttle::future::yield_now;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
pub(crate) use shuttle::thread::JoinHandle;
pub(crate) use shuttle_dashmap::{DashMap, Entry};

// As in `chat_hub`, but small enough for few readers to be many.
pub(crate) const READERS_BEFORE_SPREADING: u32 = 2;
pub(crate) const READERS_PER_TURN: usize = 1;
pub(crate) const BATCH: usize = 2;

/// A timer set for longer than this never expires.
const FAR_AWAY: Duration = Duration::from_secs(1);

type Task = Pin<Box<dyn Future<Output = ()>>>;

shuttle::thread_local! {
    /// What was spawned on a thread and is not being polled yet.
    static SPAWNED: RefCell<Vec<Task>> = RefCell::default();
}

thread_local! {
    /// The time of the run. All its threads are coroutines of one thread.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Sets the clock to its beginning; to be called first in every run.
pub fn begin() {
    NOW.set(Duration::ZERO);
}

/// A thread that polls a task, and whatever it spawns, until it has ended.
pub(crate) fn spawn_thread<F: Future<Output = ()> + 'static>(
    name: String,
    task: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let thread = shuttle::thread::Builder::new().name(name);
    thread.spawn(move || shuttle::future::block_on(run_all(Box::pin(task()))))
}

async fn run_all(mut first: Task) {
    let mut others = FuturesUnordered::new();
    std::future::poll_fn(move |context| {
        if first.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let spawned = SPAWNED.with(|spawned| std::mem::take(&mut *spawned.borrow_mut()));
            others.extend(spawned);
            match Pin::new(&mut others).poll_next(context) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        let is_idle = SPAWNED.with(|spawned| spawned.borrow().is_empty());
        if !is_idle {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}

pub(crate) fn spawn_local(task: impl Future<Output = ()> + 'static) {
    SPAWNED.with(|spawned| spawned.borrow_mut().push(Box::pin(task)));
}

/// A moment of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(NOW.get())
    }

    pub(crate) fn elapsed(self) -> Duration {
        NOW.get().saturating_sub(self.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

pub(crate) async fn sleep_until(due: Instant) {
    if due.0.saturating_sub(NOW.get()) > FAR_AWAY {
        return std::future::pending().await;
    }
    while due > Instant::now() {
        if shuttle::rand::thread_rng().gen_ratio(1, 4) {
            NOW.set(due.0);
        } else {
            yield_now().await;
        }
    }
}

pub(crate) async fn sleep(duration: Duration) {
    sleep_until(Instant::now() + duration).await;
}

/// The time ran out.
#[derive(Debug)]
pub(crate) struct Elapsed;

pub(crate) async fn timeout<T>(
    patience: Duration,
    task: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    tokio::select! {
        biased;
        value = task => Ok(value),
        () = sleep(patience) => Err(Elapsed),
    }
}

/// tokio's queue, with a step of the scheduler before whatever is put into it.
pub(crate) mod mpsc {
    use shuttle::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::mpsc::error::SendError;

    pub(crate) use tokio::sync::mpsc::UnboundedReceiver;

    pub(crate) struct UnboundedSender<T> {
        queue: tokio::sync::mpsc::UnboundedSender<T>,
        steps: AtomicUsize,
    }

    impl<T> std::fmt::Debug for UnboundedSender<T> {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter
                .debug_struct("UnboundedSender")
                .finish_non_exhaustive()
        }
    }

    impl<T> UnboundedSender<T> {
        pub(crate) fn send(&self, value: T) -> Result<(), SendError<T>> {
            self.steps.fetch_add(1, Ordering::Relaxed);
            self.queue.send(value)
        }
    }

    pub(crate) fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
        let (queue, receiver) = tokio::sync::mpsc::unbounded_channel();
        let steps = AtomicUsize::new(0);
        (UnboundedSender { queue, steps }, receiver)
    }
}
