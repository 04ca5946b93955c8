//! Messages: the history. Storing them is the writer's.

use std::collections::HashMap;
use std::sync::Arc;

use chat_protocol::ids::{FileId, RoomId, UserId};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl, files};
use crate::FileLayout;
use crate::backend::paged;
use crate::error::DatabaseError;
use crate::models::{
    FileDetails, MESSAGE_COLUMNS, MessageRow, Page, StoredMessage, USER_COLUMNS, User,
};
use crate::schema::{messages, users};

/// The newest first, in the order of the index.
pub(crate) async fn list(
    connection: &mut Connection,
    layout: FileLayout,
    room: RoomId,
    page: Page,
) -> Result<Vec<StoredMessage>, DatabaseError> {
    let rows = paged(
        messages::table
            .inner_join(users::table)
            .filter(messages::room_id.eq(room.0))
            .order((messages::created_at.desc(), messages::id.desc()))
            .select((MESSAGE_COLUMNS, USER_COLUMNS)),
        page,
    )
    .load::<(MessageRow, User)>(connection)
    .await?;
    with_files(connection, layout, rows).await
}

/// The latest time among the messages stored last. Not of all: times have no
/// index, and databases written by the original, where a message can be dated
/// like the one before it, are in order but for neighbours.
pub(crate) async fn newest_time(
    connection: &mut Connection,
) -> Result<Option<DateTime<Utc>>, DatabaseError> {
    let times = messages::table
        .order(messages::id.desc())
        .limit(256)
        .select(messages::created_at)
        .load::<Option<DateTime<Utc>>>(connection)
        .await?;
    Ok(times.into_iter().flatten().max())
}

/// Adds the files, in one more query if any message carries one.
async fn with_files(
    connection: &mut Connection,
    layout: FileLayout,
    rows: Vec<(MessageRow, User)>,
) -> Result<Vec<StoredMessage>, DatabaseError> {
    let mut file_ids: Vec<i32> = rows
        .iter()
        .filter_map(|(message, _)| message.file_id)
        .map(|id| id.0)
        .collect();
    file_ids.sort_unstable();
    file_ids.dedup();
    let files: HashMap<FileId, FileDetails> = if file_ids.is_empty() {
        HashMap::new()
    } else {
        files::by_ids(connection, layout, file_ids)
            .await?
            .into_iter()
            .map(|details| (details.file.id, details))
            .collect()
    };
    let mut senders: HashMap<UserId, Arc<User>> = HashMap::new();
    Ok(rows
        .into_iter()
        .map(|(message, sender)| StoredMessage {
            id: message.id,
            content: message.content,
            room_id: message.room_id,
            sender: Arc::clone(senders.entry(sender.id).or_insert_with(|| Arc::new(sender))),
            file: message.file_id.and_then(|id| files.get(&id).cloned()),
            created_at: message.created_at,
        })
        .collect())
}
