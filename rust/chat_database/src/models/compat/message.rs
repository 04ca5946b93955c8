//! Table `compat_messages`.

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use super::RoomKey;
use crate::schema::compat::compat_messages;

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub sender_id: String,
    /// At the time of sending.
    pub sender_name: String,
    pub content: String,
    pub image_url: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// A message to store, at a time its caller makes ascend.
#[derive(Clone, Debug)]
pub struct MessageToStore {
    pub room: RoomKey,
    pub message: Message,
}

pub(crate) const MESSAGE_COLUMNS: (
    compat_messages::public_id,
    compat_messages::sender_id,
    compat_messages::sender_name,
    compat_messages::content,
    compat_messages::image_url,
    compat_messages::created_at,
) = (
    compat_messages::public_id,
    compat_messages::sender_id,
    compat_messages::sender_name,
    compat_messages::content,
    compat_messages::image_url,
    compat_messages::created_at,
);

type Row = (
    String,
    String,
    String,
    String,
    Option<String>,
    DateTime<Utc>,
);

impl<ST, DB> Queryable<ST, DB> for Message
where
    DB: Backend,
    Row: FromStaticSqlRow<ST, DB>,
{
    type Row = Row;

    fn build(row: Row) -> deserialize::Result<Self> {
        let (id, sender_id, sender_name, content, image_url, created_at) = row;
        Ok(Self {
            id,
            sender_id,
            sender_name,
            content,
            image_url,
            created_at,
        })
    }
}
