//! Messages: the history, by page and by number. Storing them is the writer's.

use std::collections::HashMap;
use std::sync::Arc;

use chat_protocol::ids::{FileId, MessageId, RoomId, UserId};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl};

use super::{Connection, RunQueryDsl, files, users};
use crate::backend::{changed, numbered, paged};
use crate::database::FileTables;
use crate::error::DatabaseError;
use crate::models::{FileDetails, MESSAGE_COLUMNS, MessageRow, Page, StoredMessage, User};
use crate::schema::{message_sequence, messages, room_sequences};

/// A row with its number in the room, and when it was edited and deleted.
type Row = (
    (MessageRow, Option<i64>),
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

/// The newest first, in the order of the index. Of the senders only those are
/// read who are not `known` already.
pub(crate) async fn list(
    connection: &mut Connection,
    tables: FileTables,
    is_numbered: bool,
    room: RoomId,
    page: Page,
    known: &[Arc<User>],
) -> Result<Vec<StoredMessage>, DatabaseError> {
    let page = paged(
        messages::table
            .filter(messages::room_id.eq(room.0))
            .order((messages::created_at.desc(), messages::id.desc()))
            .select(MESSAGE_COLUMNS),
        page,
    );
    let rows = if is_numbered {
        let page = numbered(page, tables.has_changes);
        page.load::<Row>(connection).await?
    } else {
        let rows = page.load::<MessageRow>(connection).await?;
        rows.into_iter()
            .map(|row| ((row, None), None, None))
            .collect()
    };
    complete(connection, tables, rows, known).await
}

/// Those whose number is above `after` and at most `up_to`, in the order of the
/// numbers.
pub(crate) async fn list_after(
    connection: &mut Connection,
    tables: FileTables,
    room: RoomId,
    after: i64,
    up_to: i64,
    limit: i64,
    known: &[Arc<User>],
) -> Result<Vec<StoredMessage>, DatabaseError> {
    let limit = limit.max(0);
    let end = after.saturating_add(limit).min(up_to);
    let mut rows = numbered_range(connection, tables, room, after, end).await?;
    let rest = limit - rows.len() as i64;
    // Numbers are committed in their order, so below the last row nothing can come any
    // more. Above it something can have come since: the second statement sees more than
    // the first, and must not begin behind what the first could not see.
    let last = rows.last().and_then(|((_, seq), ..)| *seq).unwrap_or(after);
    if rest > 0 && end < up_to {
        // The end of the room, or messages that somebody has deleted.
        let more = paged(
            message_sequence::table
                .inner_join(messages::table)
                .filter(message_sequence::room_id.eq(room.0))
                .filter(message_sequence::seq.gt(last))
                .filter(message_sequence::seq.le(up_to))
                .order(message_sequence::seq.asc())
                .select((MESSAGE_COLUMNS, message_sequence::seq.nullable())),
            first(rest),
        );
        let more = changed(more, tables.has_changes);
        rows.extend(more.load::<Row>(connection).await?);
    }
    complete(connection, tables, rows, known).await
}

/// Those whose number is below `before`, the highest first. The later statements read
/// below what the first has found, where nothing can come any more.
pub(crate) async fn list_before(
    connection: &mut Connection,
    tables: FileTables,
    room: RoomId,
    before: i64,
    limit: i64,
    known: &[Arc<User>],
) -> Result<Vec<StoredMessage>, DatabaseError> {
    let limit = limit.max(0);
    let mut end = before.saturating_sub(1);
    let mut rows = numbered_range(connection, tables, room, end.saturating_sub(limit), end).await?;
    if rows.is_empty() {
        let last = last_seq(connection, room).await?;
        if last < end {
            end = last;
            rows = numbered_range(connection, tables, room, end - limit, end).await?;
        }
    }
    rows.reverse();
    let start = end.saturating_sub(limit);
    let rest = limit - rows.len() as i64;
    if rest > 0 && start > 0 {
        // Somebody has deleted messages.
        let more = paged(
            message_sequence::table
                .inner_join(messages::table)
                .filter(message_sequence::room_id.eq(room.0))
                .filter(message_sequence::seq.le(start))
                .order(message_sequence::seq.desc())
                .select((MESSAGE_COLUMNS, message_sequence::seq.nullable())),
            first(rest),
        );
        let more = changed(more, tables.has_changes);
        let more = more.load::<Row>(connection).await?;
        rows.extend(more.into_iter().rev());
    }
    complete(connection, tables, rows, known).await
}

/// Those whose number is above `after` and at most `end`, in the order of the
/// numbers. With both ends given, no plan of the server reads more than them: with
/// a limit alone it can prefer to read and sort the whole room.
async fn numbered_range(
    connection: &mut Connection,
    tables: FileTables,
    room: RoomId,
    after: i64,
    end: i64,
) -> Result<Vec<Row>, DatabaseError> {
    let range = message_sequence::table
        .inner_join(messages::table)
        .filter(message_sequence::room_id.eq(room.0))
        .filter(message_sequence::seq.gt(after))
        .filter(message_sequence::seq.le(end))
        .select((MESSAGE_COLUMNS, message_sequence::seq.nullable()));
    Ok(changed(range, tables.has_changes)
        .load::<Row>(connection)
        .await?)
}

/// One message, if it is in that room.
pub(crate) async fn find(
    connection: &mut Connection,
    tables: FileTables,
    room: RoomId,
    id: MessageId,
) -> Result<Option<StoredMessage>, DatabaseError> {
    let message = message_sequence::table
        .inner_join(messages::table)
        .filter(message_sequence::message_id.eq(id.0))
        .filter(messages::room_id.eq(room.0))
        .select((MESSAGE_COLUMNS, message_sequence::seq.nullable()));
    let rows = changed(message, tables.has_changes)
        .load::<Row>(connection)
        .await?;
    let messages = complete(connection, tables, rows, &[]).await?;
    Ok(messages.into_iter().next())
}

fn first(limit: i64) -> Page {
    Page { skip: 0, limit }
}

/// The highest number given out in the room, 0 before the first.
pub(crate) async fn last_seq(
    connection: &mut Connection,
    room: RoomId,
) -> Result<i64, DatabaseError> {
    let last = room_sequences::table
        .find(room.0)
        .select(room_sequences::last_seq)
        .get_result::<i64>(connection)
        .await
        .optional()?;
    Ok(last.unwrap_or(0))
}

/// The messages of the rows, with senders and files. Read by statements of their own: a
/// message whose sender is gone by then is gone too, and a file that is gone is shown as
/// not there.
async fn complete(
    connection: &mut Connection,
    tables: FileTables,
    rows: Vec<Row>,
    known: &[Arc<User>],
) -> Result<Vec<StoredMessage>, DatabaseError> {
    let senders = senders(connection, &rows, known).await?;
    let files = files_of(connection, tables, &rows).await?;
    Ok(rows
        .into_iter()
        // Every message has a sender: the schema sees to it.
        .filter_map(|((message, seq), edited_at, deleted_at)| {
            Some(StoredMessage {
                id: message.id,
                seq,
                content: message.content,
                room_id: message.room_id,
                sender: Arc::clone(senders.get(&message.sender_id)?),
                file: message.file_id.and_then(|id| files.get(&id).cloned()),
                created_at: message.created_at,
                edited_at,
                deleted_at,
            })
        })
        .collect())
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

/// Whoever wrote the messages, and everybody in `known`.
async fn senders(
    connection: &mut Connection,
    rows: &[Row],
    known: &[Arc<User>],
) -> Result<HashMap<UserId, Arc<User>>, DatabaseError> {
    let mut people: HashMap<UserId, Arc<User>> = known
        .iter()
        .map(|user| (user.id, Arc::clone(user)))
        .collect();
    let mut unknown: Vec<i32> = rows
        .iter()
        .filter(|((message, _), ..)| !people.contains_key(&message.sender_id))
        .map(|((message, _), ..)| message.sender_id.0)
        .collect();
    if !unknown.is_empty() {
        unknown.sort_unstable();
        unknown.dedup();
        people.extend(users::by_ids(connection, unknown).await?);
    }
    Ok(people)
}

/// The files of the messages, in one query if any message carries one.
async fn files_of(
    connection: &mut Connection,
    tables: FileTables,
    rows: &[Row],
) -> Result<HashMap<FileId, FileDetails>, DatabaseError> {
    let mut file_ids: Vec<i32> = rows
        .iter()
        .filter_map(|((message, _), ..)| message.file_id)
        .map(|id| id.0)
        .collect();
    if file_ids.is_empty() {
        return Ok(HashMap::new());
    }
    file_ids.sort_unstable();
    file_ids.dedup();
    let files = files::by_ids(connection, tables, file_ids).await?;
    Ok(files
        .into_iter()
        .map(|details| (details.file.id, details))
        .collect())
}
