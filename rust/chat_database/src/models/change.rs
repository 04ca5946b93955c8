//! Tables `room_changes`, `message_changes` and `change_receipts`.

use chat_protocol::ids::{MessageId, RoomId, UserId};
use chrono::{DateTime, Utc};

use super::StoredMessage;

/// What is to become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// It says something else. The file it carries stays.
    Edit { content: String },
    /// It says nothing any more, and carries no file.
    Delete,
}

/// A change that may be made: who may make it has been decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChange {
    pub room_id: RoomId,
    pub message_id: MessageId,
    /// Whoever makes it.
    pub user_id: UserId,
    pub alteration: Alteration,
    /// What that user calls the change; as of a [`NewMessage`](super::NewMessage).
    pub client_id: Option<String>,
}

/// What a change is known by once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeReceipt {
    pub message_id: MessageId,
    /// The number of the message in its room.
    pub seq: i64,
    /// The number of the last change of the message in its room; none if there was
    /// nothing to change, ever.
    pub change: Option<i64>,
    pub changed_at: DateTime<Utc>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub receipt: ChangeReceipt,
    /// The message as it is now.
    pub message: StoredMessage,
    /// Whoever has deleted it.
    pub deleted_by: Option<UserId>,
    /// Whether anything is different now: not if it was so already, and not if the
    /// `client_id` was sent before.
    pub is_new: bool,
}

/// A message that was changed, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedMessage {
    pub change: i64,
    pub id: MessageId,
    pub seq: i64,
    pub content: String,
    pub edited_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub deleted_by: Option<UserId>,
}

/// The newest changes of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestChanges {
    /// The number of the last one; zero in a room without changes.
    pub last: i64,
    /// The messages whose last change is behind this one are all there.
    pub after: i64,
    /// In the order of their last changes.
    pub messages: Vec<ChangedMessage>,
}
