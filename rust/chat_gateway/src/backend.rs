//! What sessions need from the service, implemented by `chat_server`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use chat_hub::{ConnectionRef, LoadedTail, Profile};
use chat_protocol::ids::{Change, MessageId, RoomId, Seq, UserId};
use chat_protocol::{ChangeDraft, MessageDraft, Position};
use chrono::{DateTime, Utc};

use crate::error::PostError;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Called exactly once, from any thread, when a message or a change is stored and on
/// its way to the readers, or refused.
pub type PostDone = Box<dyn FnOnce(Result<Receipt, PostError>) + Send>;

/// What a message, or a change of one, is known by once it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub id: MessageId,
    /// None where the database cannot number messages.
    pub seq: Option<Seq>,
    pub timestamp: DateTime<Utc>,
    /// Of a change; none if there was nothing to change, ever.
    pub change: Option<Change>,
}

/// Who enters which room.
#[derive(Clone, Debug)]
pub struct Admission {
    pub profile: Arc<Profile>,
    pub room_name: String,
    pub token_expires: SystemTime,
    /// What the database has of the room, where other processes publish in it too.
    pub newest: Position,
}

/// Why a handshake is refused; clients see a status only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the token, the user or the room does not allow it")]
    Denied,
    #[error("the service cannot decide now")]
    Unavailable,
}

/// The use cases a session reaches.
pub trait ChatBackend: Send + Sync + 'static {
    /// Decides whether the bearer of `token` may enter the room.
    fn admit<'a>(
        &'a self,
        room_id: RoomId,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Admission, Refusal>>;

    /// The newest messages of a room, encoded, for connections that come back. None
    /// if they cannot be had.
    fn load_tail(&self, room_id: RoomId) -> BoxFuture<'_, Option<LoadedTail>>;

    /// Stores a message and publishes it to the room; one with a `client_id` that was
    /// used before is the message of that time, and nothing happens. Resolves once
    /// the message has its place in the order; `done` tells the outcome.
    fn post_message(
        &self,
        sender: UserId,
        room_id: RoomId,
        draft: MessageDraft,
        done: PostDone,
    ) -> BoxFuture<'_, ()>;

    /// Moves the marker of what the user has read in the room, soon, and forward only.
    /// Other connections of the user are told; this one only if it cannot be.
    fn mark_read(&self, user: UserId, room_id: RoomId, seq: Seq, from: ConnectionRef);

    /// Edits or deletes a message and publishes the change; otherwise as `post_message`.
    fn change_message(
        &self,
        user: UserId,
        room_id: RoomId,
        draft: ChangeDraft,
        done: PostDone,
    ) -> BoxFuture<'_, ()>;
}
