//! Stores messages in groups, as the primary's writer does: one task takes what is
//! queued, stores it in one transaction, and then tells the senders in that order.
//!
//! Invariants: told of success only after the commit; ids and times ascend in the
//! order of acceptance, so what is delivered in the call-backs has the order of the
//! history; a message that cannot be stored fails alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_database::compat::{Message, MessageToStore, RoomKey};
use chat_database::{CompatStore, DatabaseError, ErrorKind};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tokio::sync::{mpsc, oneshot};

use super::{CompatError, ObjectIds};

/// How many messages may wait; more make `submit` wait.
const QUEUE_LENGTH: usize = 1024;
/// How many messages share a commit.
const GROUP_LENGTH: usize = 128;
/// Between two questions for the time of the newest message, while the database is away.
const RETRY: Duration = Duration::from_secs(1);

/// Told once what became of a message, on the task that stores: anything slow in it
/// delays all messages.
type OnStored = Box<dyn FnOnce(Option<&Message>) + Send>;

/// A message to store; id and time come from the task.
pub(crate) struct Draft {
    pub(crate) room: RoomKey,
    pub(crate) sender_id: String,
    pub(crate) sender_name: String,
    pub(crate) content: String,
    pub(crate) image_url: Option<String>,
}

enum Item {
    Message(Draft, OnStored),
    /// Everything before it has been told.
    Flush(oneshot::Sender<()>),
}

/// The way to the task, which ends with the last of its clones.
#[derive(Clone)]
pub(crate) struct MessageQueue {
    items: mpsc::Sender<Item>,
}

impl MessageQueue {
    /// Starts the task on the current runtime.
    pub(crate) fn start(system: &'static str, store: CompatStore, ids: Arc<ObjectIds>) -> Self {
        let (items, receiver) = mpsc::channel(QUEUE_LENGTH);
        let task = Task {
            system,
            store,
            ids,
            latest: None,
        };
        tokio::spawn(task.run(receiver));
        Self { items }
    }

    /// Accepts a message; waits only while the queue is full. Without one to tell,
    /// it was not stored.
    pub(crate) async fn submit(
        &self,
        draft: Draft,
        on_stored: impl FnOnce(Option<&Message>) + Send + 'static,
    ) {
        let item = Item::Message(draft, Box::new(on_stored));
        if let Err(mpsc::error::SendError(Item::Message(_, on_stored))) =
            self.items.send(item).await
        {
            on_stored(None);
        }
    }

    /// Waits until everything accepted so far has been stored and told.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.items.send(Item::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }
}

impl fmt::Debug for MessageQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MessageQueue")
            .field("queued", &(QUEUE_LENGTH - self.items.capacity()))
            .finish_non_exhaustive()
    }
}

struct Task {
    system: &'static str,
    store: CompatStore,
    ids: Arc<ObjectIds>,
    /// The time of the newest message; none until the first one comes.
    latest: Option<DateTime<Utc>>,
}

impl Task {
    async fn run(mut self, mut items: mpsc::Receiver<Item>) {
        let mut taken = Vec::with_capacity(GROUP_LENGTH);
        while items.recv_many(&mut taken, GROUP_LENGTH).await > 0 {
            let mut group = Vec::with_capacity(taken.len());
            let mut flushed = Vec::new();
            for item in taken.drain(..) {
                match item {
                    Item::Message(draft, on_stored) => group.push((draft, on_stored)),
                    Item::Flush(done) => flushed.push(done),
                }
            }
            self.store(group).await;
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    async fn store(&mut self, group: Vec<(Draft, OnStored)>) {
        if group.is_empty() {
            return;
        }
        let mut latest = self.latest().await;
        let (messages, listeners): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|(draft, on_stored)| {
                latest = Utc::now()
                    .trunc_subsecs(6)
                    .max(latest + TimeDelta::microseconds(1));
                (self.place(draft, latest), on_stored)
            })
            .unzip();
        self.latest = Some(latest);
        match self.store.store_messages(messages.clone()).await {
            Ok(()) => tell(
                listeners,
                messages.iter().map(|stored| Some(&stored.message)),
            ),
            Err(error) if messages.len() == 1 || error.kind() == ErrorKind::Unavailable => {
                self.log(error);
                tell(listeners, std::iter::repeat_n(None, messages.len()));
            }
            // One of them is to blame, maybe for a room that is gone.
            Err(_) => {
                for (message, on_stored) in messages.into_iter().zip(listeners) {
                    let stored = self.store.store_messages(vec![message.clone()]).await;
                    let outcome = stored.map_err(|error| self.log(error)).ok();
                    on_stored(outcome.map(|()| &message.message));
                }
            }
        }
    }

    fn place(&self, draft: Draft, time: DateTime<Utc>) -> MessageToStore {
        MessageToStore {
            room: draft.room,
            message: Message {
                id: self.ids.make(time),
                sender_id: draft.sender_id,
                sender_name: draft.sender_name,
                content: draft.content,
                image_url: draft.image_url,
                created_at: time,
            },
        }
    }

    /// Clocks go back: what was stored last counts too.
    async fn latest(&self) -> DateTime<Utc> {
        if let Some(latest) = self.latest {
            return latest;
        }
        loop {
            match self.store.newest_message_time().await {
                Ok(newest) => return newest.unwrap_or(DateTime::UNIX_EPOCH),
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => {
                    self.log(error);
                    return Utc::now();
                }
            }
        }
    }

    fn log(&self, error: DatabaseError) {
        CompatError::from(error).log(self.system);
    }
}

fn tell<'a>(listeners: Vec<OnStored>, outcomes: impl Iterator<Item = Option<&'a Message>>) {
    for (on_stored, outcome) in listeners.into_iter().zip(outcomes) {
        on_stored(outcome);
    }
}
