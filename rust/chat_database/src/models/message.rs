//! Table `messages`.

use std::sync::Arc;

use chat_protocol::ids::{FileId, MessageId, RoomId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use super::{FileDetails, Int, User};
use crate::schema::messages;

/// How long a `client_id` stands for the message that was stored first.
pub(crate) const RECEIPT_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// A message with its sender and the file it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    pub id: MessageId,
    /// Its number in the room; none where the database does not number messages.
    pub seq: Option<i64>,
    pub content: String,
    pub room_id: RoomId,
    /// Shared by all messages of one answer.
    pub sender: Arc<User>,
    pub file: Option<FileDetails>,
    pub created_at: Option<DateTime<Utc>>,
    pub edited_at: Option<DateTime<Utc>>,
    /// Then it has neither text nor file any more.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A message to store; id and time come from the writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    pub room_id: RoomId,
    pub sender_id: UserId,
    pub content: String,
    pub file_id: Option<FileId>,
    /// What the sender calls the message. Stored once: sent again to the same room
    /// within 24 hours, on whatever connection, it is answered with the first one.
    /// Without effect where the database does not number messages.
    pub client_id: Option<String>,
}

/// What the writer answers for a message once it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub id: MessageId,
    /// Its number in the room; none only where the database does not number messages.
    pub seq: Option<i64>,
    pub created_at: DateTime<Utc>,
    /// The text that was handed in, given back so that nobody has to copy it.
    pub content: String,
    /// The `client_id` was sent before: nothing was stored, and all of this is of the
    /// first message, which has been published already.
    pub is_repeat: bool,
}

/// A row of `messages`, without what its ids stand for.
pub(crate) struct MessageRow {
    pub(crate) id: MessageId,
    pub(crate) content: String,
    pub(crate) room_id: RoomId,
    pub(crate) sender_id: UserId,
    pub(crate) file_id: Option<FileId>,
    pub(crate) created_at: Option<DateTime<Utc>>,
}

pub(crate) const MESSAGE_COLUMNS: (
    messages::id,
    messages::content,
    messages::room_id,
    messages::sender_id,
    messages::file_id,
    messages::created_at,
) = (
    messages::id,
    messages::content,
    messages::room_id,
    messages::sender_id,
    messages::file_id,
    messages::created_at,
);

type Columns = (Int, String, Int, Int, Option<Int>, Option<DateTime<Utc>>);

impl<ST, DB> Queryable<ST, DB> for MessageRow
where
    DB: Backend,
    Columns: FromStaticSqlRow<ST, DB>,
{
    type Row = Columns;

    fn build(row: Columns) -> deserialize::Result<Self> {
        let (id, content, room_id, sender_id, file_id, created_at) = row;
        Ok(Self {
            id: MessageId(id.0),
            content,
            room_id: RoomId(room_id.0),
            sender_id: UserId(sender_id.0),
            file_id: file_id.map(|id| FileId(id.0)),
            created_at,
        })
    }
}
