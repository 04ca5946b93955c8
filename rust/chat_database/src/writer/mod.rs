//! The group-commit writer: every message is stored through it.
//!
//! One task takes what is queued, up to 256 messages, stores it in one
//! transaction and then tells the senders, in the order of the ids; meanwhile
//! the next group builds up. There is no timer: an idle writer stores a single
//! message at once, a busy one pays for one commit per group.
//!
//! The task has a thread of its own, on which SQLite is asked directly and the
//! session with PostgreSQL is driven: on its way a message changes threads twice,
//! from its sender's to this one and from here to its readers'.
//!
//! Invariants: `on_stored` is called exactly once for every message that was
//! accepted, with success only after the commit; ids, times and, in each room,
//! numbers ascend in the order of acceptance, so history is in the order of the
//! ids; a message that cannot be stored fails alone; of the messages that a sender
//! calls alike in a room, one is stored, and the others are answered with it.

mod clock;
mod postgres;
mod sqlite;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use chat_protocol::ids::MessageId;
use chrono::{DateTime, Utc};
use tokio::runtime;
use tokio::sync::{mpsc, watch};

use self::clock::Clock;
use crate::database::{Database, Pools};
use crate::error::{DatabaseError, ErrorKind};
use crate::models::{NewMessage, Stored};
use crate::sqlite::allow_blocking_queries;

/// How many messages may wait; more make `submit` wait.
const QUEUE_LENGTH: usize = 4096;
/// How many messages share a commit. More gain nothing and delay the first.
const GROUP_LENGTH: usize = 256;

/// Told once what became of a message. Runs on the writer's task: anything
/// slow in it delays all messages.
pub type OnStored = Box<dyn FnOnce(Result<Stored, DatabaseError>) + Send>;

/// Something to be done on the writer's thread.
pub type Call = Box<dyn FnOnce() + Send>;

/// Stores messages; clones feed the same writer. When the last clone is
/// dropped, the writer stores what it has accepted and ends.
#[derive(Clone)]
pub struct MessageWriter {
    queue: mpsc::Sender<Pending>,
    calls: mpsc::UnboundedSender<Call>,
    stop: watch::Sender<bool>,
    /// Changes when the thread has nothing left to do.
    finished: watch::Receiver<()>,
}

struct Pending {
    message: NewMessage,
    on_stored: OnStored,
}

/// A message with its time, ready to be stored.
struct Row {
    message: NewMessage,
    created_at: DateTime<Utc>,
}

/// Who numbers the messages of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbering {
    /// Nobody.
    None,
    /// The messages of this process.
    Own,
    /// Those of other processes too: the times have to ascend with the numbers.
    WithPeers,
}

/// What became of a row that was not refused.
enum Outcome {
    New {
        id: MessageId,
        seq: Option<i64>,
        /// If the server has chosen another time than the row had.
        created_at: Option<DateTime<Utc>>,
    },
    /// What its `client_id` stands for already.
    Repeat(Stored),
}

/// One per row of a group, in the same order.
type Outcomes = Vec<Result<Outcome, DatabaseError>>;

impl MessageWriter {
    /// Starts the task on its thread. Where other processes store messages too
    /// (`has_peers`), their times are made so that they ascend with the numbers of a room
    /// whoever stores them.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if the time of the newest message cannot
    /// be asked for, [`DatabaseError::Internal`] if the system refuses the thread.
    pub async fn start(database: Database, has_peers: bool) -> Result<Self, DatabaseError> {
        let clock = Clock::starting_after(database.newest_message_time().await?);
        let (queue, receiver) = mpsc::channel(QUEUE_LENGTH);
        let (calls, call_receiver) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let (alive, finished) = watch::channel(());
        let task = Task {
            database,
            has_peers,
            clock,
            queue: receiver,
            calls: call_receiver,
            stopped,
        };
        let mut runtime = runtime::Builder::new_current_thread();
        match task.database.pools() {
            Pools::Postgres(_) => runtime.enable_all(),
            // Without sockets to watch, a thread is woken at half the cost.
            Pools::Sqlite { .. } => runtime.enable_time(),
        };
        let runtime = runtime.build().map_err(DatabaseError::internal)?;
        thread::Builder::new()
            .name("chat-writer".to_owned())
            .spawn(move || {
                allow_blocking_queries();
                runtime.block_on(task.run());
                // The sessions that were driven here end with the runtime. Only then
                // may another writer find them in the pool, and find them closed.
                drop(runtime);
                drop(alive);
            })
            .map_err(DatabaseError::internal)?;
        Ok(Self {
            queue,
            calls,
            stop,
            finished,
        })
    }

    /// Accepts a message; waits only while the queue is full. What became of
    /// it is told to `on_stored`: any error of the message itself, or
    /// [`DatabaseError::Unavailable`], also after
    /// [`flush_and_stop`](Self::flush_and_stop).
    ///
    /// # Cancel safety
    /// Dropped before it returns, the message is not accepted, and `on_stored`
    /// is not called.
    pub async fn submit(&self, message: NewMessage, on_stored: OnStored) {
        match self.queue.reserve().await {
            Ok(place) => place.send(Pending { message, on_stored }),
            Err(_) => tell(on_stored, Err(stopped())),
        }
    }

    /// Runs a call behind the listeners of all messages that are stored by now, and
    /// behind earlier calls. It delays all messages like these.
    pub fn call_behind(&self, call: Call) {
        if let Err(refused) = self.calls.send(call) {
            // The writer has ended, and with it all listeners.
            guarded(refused.0);
        }
    }

    /// Stores everything accepted so far and ends the writer. May be called
    /// again.
    pub async fn flush_and_stop(&self) {
        self.stop.send_replace(true);
        let mut finished = self.finished.clone();
        // Nothing is ever sent: the error says that the task is gone.
        let _ = finished.changed().await;
    }
}

impl fmt::Debug for MessageWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MessageWriter")
            .field("queued", &(QUEUE_LENGTH - self.queue.capacity()))
            .finish_non_exhaustive()
    }
}

struct Task {
    database: Database,
    has_peers: bool,
    clock: Clock,
    queue: mpsc::Receiver<Pending>,
    calls: mpsc::UnboundedReceiver<Call>,
    stopped: watch::Receiver<bool>,
}

impl Task {
    async fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP_LENGTH);
        let mut is_open = true;
        loop {
            tokio::select! {
                biased;
                () = stop_is_asked(&mut self.stopped), if is_open => {
                    self.queue.close();
                    is_open = false;
                }
                Some(call) = self.calls.recv() => guarded(call),
                count = self.queue.recv_many(&mut group, GROUP_LENGTH) => {
                    if count == 0 {
                        break;
                    }
                    self.store_and_tell(&mut group).await;
                }
            }
        }
        self.calls.close();
        while let Some(call) = self.calls.recv().await {
            guarded(call);
        }
    }

    async fn store_and_tell(&mut self, group: &mut Vec<Pending>) {
        let is_numbered = self.database.numbers_messages();
        let (rows, listeners): (Vec<Row>, Vec<OnStored>) = group
            .drain(..)
            .map(|mut pending| {
                // There are no receipts either.
                pending.message.client_id.take_if(|_| !is_numbered);
                let row = Row {
                    message: pending.message,
                    created_at: self.clock.next(),
                };
                (row, pending.on_stored)
            })
            .unzip();
        match self.store(rows).await {
            Ok((rows, outcomes)) => {
                for ((row, outcome), on_stored) in rows.into_iter().zip(outcomes).zip(listeners) {
                    let stored = outcome.map(|outcome| match outcome {
                        Outcome::New {
                            id,
                            seq,
                            created_at,
                        } => Stored {
                            id,
                            seq,
                            created_at: created_at.unwrap_or(row.created_at),
                            content: row.message.content,
                            is_repeat: false,
                        },
                        Outcome::Repeat(first) => first,
                    });
                    tell(on_stored, stored);
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = error.report(),
                    messages = listeners.len(),
                    "messages could not be stored"
                );
                for on_stored in listeners {
                    tell(on_stored, Err(repeat(&error)));
                }
                // Whoever queued up meanwhile would only wait for the same
                // answer, the last of them for many timeouts in a row.
                while let Ok(pending) = self.queue.try_recv() {
                    tell(pending.on_stored, Err(repeat(&error)));
                }
            }
        }
    }

    /// # Errors
    /// What made the whole group fail.
    async fn store(&mut self, rows: Vec<Row>) -> Result<(Vec<Row>, Outcomes), DatabaseError> {
        let is_numbered = self.database.numbers_messages();
        match self.database.pools() {
            Pools::Postgres(pool) => {
                let numbering = match (is_numbered, self.has_peers) {
                    (false, _) => Numbering::None,
                    (true, false) => Numbering::Own,
                    (true, true) => Numbering::WithPeers,
                };
                let outcomes = postgres::store(pool, &rows, numbering).await?;
                Ok((rows, outcomes))
            }
            Pools::Sqlite { pool, .. } => {
                let clock = self.has_peers.then_some(self.clock);
                let stored = sqlite::store(pool, rows, is_numbered, clock).await?;
                if let Some(row) = stored.0.last() {
                    self.clock.continue_after(row.created_at);
                }
                Ok(stored)
            }
        }
    }
}

async fn stop_is_asked(stopped: &mut watch::Receiver<bool>) {
    // An error means that no handle is left, which asks for the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn tell(on_stored: OnStored, stored: Result<Stored, DatabaseError>) {
    guarded(|| on_stored(stored));
}

/// A listener that panics hurts nobody else.
fn guarded(call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        tracing::error!("a listener of the message writer panicked");
    }
}

/// The error once more, for the next of many listeners. A server that does not
/// let us in any more is, for a sender, a server that is away.
fn repeat(error: &DatabaseError) -> DatabaseError {
    match (error, error.kind()) {
        (DatabaseError::RoomNotFound, _) => DatabaseError::RoomNotFound,
        (DatabaseError::UserNotFound, _) => DatabaseError::UserNotFound,
        (DatabaseError::FileNotFound, _) => DatabaseError::FileNotFound,
        (_, ErrorKind::Unavailable | ErrorKind::Configuration) => {
            DatabaseError::unavailable(error.report())
        }
        _ => DatabaseError::internal(error.report()),
    }
}

fn stopped() -> DatabaseError {
    DatabaseError::unavailable("the message writer has stopped")
}
