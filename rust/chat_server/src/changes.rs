//! A change's way: permission, the queue of changes, and after the commit the hub.
//!
//! One task makes the changes, as many as are queued in one transaction, and so in one
//! order. It hands their publication to the message writer's thread, which has told of
//! every message that is stored by then: nobody hears of a change before the message.

use std::sync::Arc;
use std::time::Duration;

use chat_database::{
    Alteration, ChangeReceipt, Changed, ChangedMessage, Database, ErrorKind, MessageWriter,
    NewChange,
};
use chat_hub::{ChangePublication, Hub, PublishPermit};
use chat_protocol::ids::{Change, MessageId, RoomId, Seq, UserId};
use chat_protocol::{ChangeDraft, EncodedFrame, ServerFrame};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Identity;
use crate::answers::{ChangeAnswer, to_json};
use crate::chat::Chat;
use crate::error::ServiceError;
use crate::files::FileLibrary;
use crate::tails::message_frame;

/// How many changes may wait; more wait outside.
const QUEUE_LENGTH: usize = 1024;
/// How many share a transaction, during which SQLite stores no messages.
const GROUP_LENGTH: usize = 64;
/// How long a group may take before the database counts as away.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Told once what became of a change, behind its publication.
type Outcome = Box<dyn FnOnce(Result<Changed, ServiceError>) + Send>;

struct Pending {
    change: NewChange,
    permit: PublishPermit,
    outcome: Outcome,
}

/// The way to the task that makes changes.
#[derive(Debug)]
pub(crate) struct ChangeQueue {
    queue: mpsc::Sender<Pending>,
    stopped: CancellationToken,
    task: TaskTracker,
}

impl ChangeQueue {
    /// Starts the task, on the current tokio runtime.
    pub(crate) fn open(
        database: Database,
        writer: MessageWriter,
        hub: Hub,
        files: Arc<FileLibrary>,
    ) -> Self {
        let (queue, pending) = mpsc::channel(QUEUE_LENGTH);
        let (stopped, task) = (CancellationToken::new(), TaskTracker::new());
        let maker = ChangeMaker {
            database,
            writer,
            hub,
            files,
        };
        task.spawn(maker.run(pending, stopped.clone()));
        task.close();
        Self {
            queue,
            stopped,
            task,
        }
    }

    async fn submit(&self, pending: Pending) {
        if let Err(refused) = self.queue.send(pending).await {
            (refused.0.outcome)(Err(ServiceError::NotRunning));
        }
    }

    /// Makes everything accepted so far and ends the task.
    pub(crate) async fn flush_and_stop(&self) {
        self.stopped.cancel();
        self.task.wait().await;
    }
}

struct ChangeMaker {
    database: Database,
    writer: MessageWriter,
    hub: Hub,
    files: Arc<FileLibrary>,
}

impl ChangeMaker {
    async fn run(self, mut queue: mpsc::Receiver<Pending>, stopped: CancellationToken) {
        let mut group = Vec::with_capacity(GROUP_LENGTH);
        let mut is_open = true;
        loop {
            tokio::select! {
                biased;
                () = stopped.cancelled(), if is_open => {
                    queue.close();
                    is_open = false;
                }
                count = queue.recv_many(&mut group, GROUP_LENGTH) => {
                    if count == 0 {
                        return;
                    }
                    self.make_and_publish(std::mem::take(&mut group)).await;
                }
            }
        }
    }

    async fn make_and_publish(&self, group: Vec<Pending>) {
        let changes: Vec<NewChange> = group.iter().map(|item| item.change.clone()).collect();
        let made = match self.make(changes.clone()).await {
            Ok(made) => made.into_iter().map(Ok).collect(),
            Err(error) if changes.len() == 1 || is_unavailable(&error) => {
                let mut made = vec![Err(error)];
                made.resize_with(changes.len(), || Err(ServiceError::NotRunning));
                made
            }
            Err(_) => {
                // One of them spoils it for all.
                let mut made = Vec::with_capacity(changes.len());
                for change in changes {
                    let alone = self.make(vec![change]).await;
                    made.push(alone.map(|made| made.into_iter().next().flatten()));
                }
                made
            }
        };
        for (pending, changed) in group.into_iter().zip(made) {
            let changed = changed.and_then(|changed| changed.ok_or(ServiceError::MessageNotFound));
            self.publish(pending, changed).await;
        }
    }

    async fn make(&self, changes: Vec<NewChange>) -> Result<Vec<Option<Changed>>, ServiceError> {
        let rooms: Vec<RoomId> = changes.iter().map(|change| change.room_id).collect();
        let made = tokio::time::timeout(TIMEOUT, self.database.change_messages(changes)).await;
        let made = match made {
            Ok(made) => made.map_err(ServiceError::from),
            Err(_) => Err(ServiceError::NotRunning),
        };
        if made.is_err() {
            // They may have been made all the same, and nobody will hear of them.
            for room in rooms {
                self.hub.forget_tail(room);
            }
        }
        made
    }

    async fn publish(&self, pending: Pending, changed: Result<Changed, ServiceError>) {
        let Pending {
            change,
            permit,
            outcome,
        } = pending;
        let publication = match &changed {
            Ok(changed) if changed.is_new => self.publication(change.room_id, changed).await,
            _ => None,
        };
        let hub = self.hub.clone();
        self.writer.call_behind(Box::new(move || {
            if let Some(publication) = publication {
                hub.publish_change(change.room_id, publication, permit);
            }
            outcome(changed);
        }));
    }

    async fn publication(&self, room: RoomId, changed: &Changed) -> Option<ChangePublication> {
        let message = changed_message(changed)?;
        Some(ChangePublication {
            change: Change(message.change),
            seq: Seq(message.seq),
            frame: change_frame(room, &message),
            message: message_frame(&self.files, &changed.message).await,
        })
    }
}

fn is_unavailable(error: &ServiceError) -> bool {
    match error {
        ServiceError::NotRunning => true,
        ServiceError::Database(error) => error.kind() == ErrorKind::Unavailable,
        _ => false,
    }
}

fn changed_message(changed: &Changed) -> Option<ChangedMessage> {
    let Changed {
        receipt, message, ..
    } = changed;
    Some(ChangedMessage {
        change: receipt.change?,
        id: message.id,
        seq: receipt.seq,
        content: message.content.clone(),
        edited_at: message.edited_at,
        deleted_at: message.deleted_at,
        deleted_by: changed.deleted_by,
    })
}

/// What those who have asked for changes hear of a message's newest one.
pub(crate) fn change_frame(room_id: RoomId, message: &ChangedMessage) -> EncodedFrame {
    let (id, seq, change) = (message.id, Seq(message.seq), Change(message.change));
    match message.deleted_at {
        Some(deleted_at) => ServerFrame::MessageDeleted {
            id,
            seq,
            room_id,
            deleted_at,
            deleted_by: message.deleted_by,
            change,
        },
        None => ServerFrame::MessageEdited {
            id,
            seq,
            room_id,
            content: &message.content,
            edited_at: message.edited_at.unwrap_or_default(),
            change,
        },
    }
    .encode()
}

impl Chat {
    /// Makes a message say something else, exactly as given; gives Message.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`, `MessageNotFound`, also for one that was
    /// deleted, `NotMessageSender`, `ChangesUnavailable`.
    pub async fn edit_message(
        &self,
        identity: &Identity,
        room_id: i64,
        message_id: i64,
        content: String,
    ) -> Result<Vec<u8>, ServiceError> {
        let user = identity.user_id();
        let details = self.accessible_details(room_id, user).await?;
        let room = details.room.id;
        let alteration = Alteration::Edit { content };
        let (change, _) = self
            .checked_change(user, room, message_id, alteration)
            .await?;
        let message = self.change(change).await?.message;
        Ok(self.message_answer(&message, &details).await)
    }

    /// Deletes a message for its sender, or for the owner of the room; it stays in the
    /// order, without text and file. Nothing happens if it was deleted before.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`, `MessageNotFound`, `NotMessageSender`,
    /// `ChangesUnavailable`.
    pub async fn delete_message(
        &self,
        identity: &Identity,
        room_id: i64,
        message_id: i64,
    ) -> Result<(), ServiceError> {
        let user = identity.user_id();
        let room = self.accessible_room(room_id, user).await?.room.id;
        let (change, _) = self
            .checked_change(user, room, message_id, Alteration::Delete)
            .await?;
        self.change(change).await?;
        Ok(())
    }

    /// Array of the messages whose last change is behind `after`, in the order of these
    /// changes, for whoever has access to the room.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`, `ChangesUnavailable`.
    pub async fn list_changes(
        &self,
        identity: &Identity,
        room_id: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<u8>, ServiceError> {
        let access = self.accessible_room(room_id, identity.user_id()).await?;
        let room = access.room.id;
        if !self.database.changes_messages() {
            return Err(ServiceError::ChangesUnavailable);
        }
        let messages = self.database.list_changes_after(room, after, limit).await?;
        let answers = messages
            .iter()
            .map(|message| ChangeAnswer::new(room, message));
        Ok(to_json(&answers.collect::<Vec<_>>()))
    }

    /// Makes a change of a connected user; `outcome` is called once.
    pub(crate) async fn change_from_socket(
        &self,
        user: UserId,
        room: RoomId,
        draft: ChangeDraft,
        outcome: Box<dyn FnOnce(Result<ChangeReceipt, ServiceError>) + Send>,
    ) {
        let alteration = match draft.content {
            Some(content) => Alteration::Edit { content },
            None => Alteration::Delete,
        };
        let is_empty = matches!(&alteration, Alteration::Edit { content } if content.is_empty());
        match self.checked_change(user, room, draft.id, alteration).await {
            Ok((_, has_file)) if is_empty && !has_file => outcome(Err(ServiceError::EmptyMessage)),
            Ok((change, _)) => {
                let change = NewChange {
                    client_id: draft.client_id.map(String::from),
                    ..change
                };
                let outcome = |changed: Result<Changed, _>| outcome(changed.map(|it| it.receipt));
                self.submit_change(change, Box::new(outcome)).await;
            }
            Err(error) => outcome(Err(error)),
        }
    }

    /// Decides whether somebody who is in the room may change a message; with whether
    /// the message carries a file.
    async fn checked_change(
        &self,
        user: UserId,
        room: RoomId,
        message_id: i64,
        alteration: Alteration,
    ) -> Result<(NewChange, bool), ServiceError> {
        if !self.database.changes_messages() {
            return Err(ServiceError::ChangesUnavailable);
        }
        let id = MessageId::from_client(message_id).ok_or(ServiceError::MessageNotFound)?;
        let message = self.database.find_message(room, id).await?;
        let message = message.ok_or(ServiceError::MessageNotFound)?;
        let may_change = message.sender.id == user
            || (alteration == Alteration::Delete && self.is_owner(user, room).await?);
        if !may_change {
            return Err(ServiceError::NotMessageSender);
        }
        let change = NewChange {
            room_id: room,
            message_id: id,
            user_id: user,
            alteration,
            client_id: None,
        };
        Ok((change, message.file.is_some()))
    }

    async fn is_owner(&self, user: UserId, room: RoomId) -> Result<bool, ServiceError> {
        let access = self.database.find_room_access(room, user).await?;
        Ok(access.is_some_and(|access| access.room.owner_id == Some(user)))
    }

    async fn change(&self, change: NewChange) -> Result<Changed, ServiceError> {
        let (outcome, changed) = oneshot::channel();
        let outcome = move |result| {
            // Nobody waits any more if the request was cancelled.
            let _ = outcome.send(result);
        };
        self.submit_change(change, Box::new(outcome)).await;
        changed.await.map_err(|_| ServiceError::NotRunning)?
    }

    async fn submit_change(&self, change: NewChange, outcome: Outcome) {
        let bytes = match &change.alteration {
            Alteration::Edit { content } => content.len(),
            Alteration::Delete => 0,
        };
        let permit = self.hub.admit(change.room_id, bytes).await;
        let pending = Pending {
            change,
            permit,
            outcome,
        };
        self.changes.submit(pending).await;
    }
}
