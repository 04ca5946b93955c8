//! Changes of messages: making them, and what has changed in a room.
//!
//! Whoever changes messages of a room locks its counter first, so that the changes
//! of a room are made one after the other and are numbered in the order of their
//! commits, without gaps.

use std::collections::HashMap;

use chat_protocol::ids::{MessageId, RoomId, UserId};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl};

use super::{Connection, RunQueryDsl, messages as history};
use crate::backend::paged;
use crate::database::FileTables;
use crate::error::DatabaseError;
use crate::models::{
    Alteration, ChangeReceipt, Changed, ChangedMessage, Int, NewChange, NewestChanges, Page,
    RECEIPT_LIFETIME, StoredMessage,
};
use crate::schema::{change_receipts, message_changes, messages, room_changes};
use crate::timestamp::now;

/// Makes changes in their order; none for a message that is not there, or is deleted
/// and should be edited. Needs a transaction.
pub(crate) async fn make(
    connection: &mut Connection,
    tables: FileTables,
    changes: &[NewChange],
) -> Result<Vec<Option<Changed>>, DatabaseError> {
    let mut counters = HashMap::new();
    let mut rooms: Vec<RoomId> = changes.iter().map(|change| change.room_id).collect();
    // In one order, so that two transactions never wait for each other.
    rooms.sort_unstable();
    rooms.dedup();
    for room in rooms {
        counters.insert(room, lock_counter(connection, room).await?);
    }
    let mut made = Vec::with_capacity(changes.len());
    for change in changes {
        let last = counters.entry(change.room_id).or_default();
        made.push(make_one(connection, tables, change, last).await?);
    }
    Ok(made)
}

/// Locks the counter of a room until the end of the transaction; gives the number of
/// the last change.
async fn lock_counter(connection: &mut Connection, room: RoomId) -> Result<i64, DatabaseError> {
    Ok(diesel::insert_into(room_changes::table)
        .values((
            room_changes::room_id.eq(room.0),
            room_changes::last_change.eq(0_i64),
        ))
        .on_conflict(room_changes::room_id)
        .do_update()
        // To what it is: an update locks, and so does nothing else on both back ends.
        .set(room_changes::last_change.eq(room_changes::last_change))
        .returning(room_changes::last_change)
        .get_result::<i64>(connection)
        .await?)
}

async fn make_one(
    connection: &mut Connection,
    tables: FileTables,
    change: &NewChange,
    last: &mut i64,
) -> Result<Option<Changed>, DatabaseError> {
    if let Some(client_id) = &change.client_id
        && let Some(receipt) = find_receipt(connection, change, client_id).await?
    {
        let message = history::find(connection, tables, change.room_id, receipt.message_id).await?;
        return Ok(message.map(|message| Changed {
            receipt,
            message,
            deleted_by: None,
            is_new: false,
        }));
    }
    let found = history::find(connection, tables, change.room_id, change.message_id).await?;
    let Some((mut message, seq)) = found.and_then(|message| {
        let seq = message.seq?;
        Some((message, seq))
    }) else {
        return Ok(None);
    };
    let is_new = match &change.alteration {
        Alteration::Edit { .. } if message.deleted_at.is_some() => return Ok(None),
        Alteration::Edit { content } => message.content != *content,
        Alteration::Delete => message.deleted_at.is_none(),
    };
    let (number, changed_at) = if is_new {
        *last += 1;
        let at = now();
        alter(connection, change, &mut message, seq, *last, at).await?;
        (Some(*last), at)
    } else {
        let number = last_of(connection, change.message_id, seq).await?;
        let times = message.deleted_at.or(message.edited_at);
        (number, times.or(message.created_at).unwrap_or_default())
    };
    let receipt = ChangeReceipt {
        message_id: message.id,
        seq,
        change: number,
        changed_at,
    };
    if let Some(client_id) = &change.client_id {
        insert_receipt(connection, change, client_id, receipt).await?;
    }
    Ok(Some(Changed {
        receipt,
        deleted_by: message.deleted_at.map(|_| change.user_id),
        message,
        is_new,
    }))
}

/// Changes the message, here and in its tables.
async fn alter(
    connection: &mut Connection,
    change: &NewChange,
    message: &mut StoredMessage,
    seq: i64,
    number: i64,
    at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let row = messages::table.find(message.id.0);
    match &change.alteration {
        Alteration::Edit { content } => {
            diesel::update(row)
                .set(messages::content.eq(content))
                .execute(connection)
                .await?;
            message.content.clone_from(content);
            message.edited_at = Some(at);
        }
        Alteration::Delete => {
            diesel::update(row)
                .set((messages::content.eq(""), messages::file_id.eq(None::<i32>)))
                .execute(connection)
                .await?;
            message.content.clear();
            message.file = None;
            message.deleted_at = Some(at);
        }
    }
    let deleted_by = message.deleted_at.map(|_| change.user_id.0);
    let state = (
        message_changes::room_id.eq(change.room_id.0),
        message_changes::seq.eq(seq),
        message_changes::change.eq(number),
        message_changes::edited_at.eq(message.edited_at),
        message_changes::deleted_at.eq(message.deleted_at),
        message_changes::deleted_by.eq(deleted_by),
    );
    diesel::insert_into(message_changes::table)
        .values((message_changes::message_id.eq(message.id.0), state))
        .on_conflict(message_changes::message_id)
        .do_update()
        .set(state)
        .execute(connection)
        .await?;
    diesel::update(room_changes::table.find(change.room_id.0))
        .set(room_changes::last_change.eq(number))
        .execute(connection)
        .await?;
    Ok(())
}

async fn last_of(
    connection: &mut Connection,
    message: MessageId,
    seq: i64,
) -> Result<Option<i64>, DatabaseError> {
    Ok(message_changes::table
        .find(message.0)
        .filter(message_changes::seq.eq(seq))
        .select(message_changes::change)
        .get_result::<i64>(connection)
        .await
        .optional()?)
}

/// What `client_id` stands for.
async fn find_receipt(
    connection: &mut Connection,
    change: &NewChange,
    client_id: &str,
) -> Result<Option<ChangeReceipt>, DatabaseError> {
    let found = change_receipts::table
        .find((change.user_id.0, change.room_id.0, client_id))
        .filter(change_receipts::created_at.ge(Some(now() - RECEIPT_LIFETIME)))
        .select((
            change_receipts::message_id,
            change_receipts::seq,
            change_receipts::change,
            change_receipts::changed_at.assume_not_null(),
        ))
        .get_result::<(i32, i64, Option<i64>, DateTime<Utc>)>(connection)
        .await
        .optional()?;
    Ok(found.map(|(id, seq, change, changed_at)| ChangeReceipt {
        message_id: MessageId(id),
        seq,
        change,
        changed_at,
    }))
}

/// Takes the place of one that is no longer valid.
async fn insert_receipt(
    connection: &mut Connection,
    change: &NewChange,
    client_id: &str,
    receipt: ChangeReceipt,
) -> Result<(), DatabaseError> {
    let result = (
        change_receipts::message_id.eq(receipt.message_id.0),
        change_receipts::seq.eq(receipt.seq),
        change_receipts::change.eq(receipt.change),
        change_receipts::changed_at.eq(Some(receipt.changed_at)),
        change_receipts::created_at.eq(Some(now())),
    );
    diesel::insert_into(change_receipts::table)
        .values((
            change_receipts::user_id.eq(change.user_id.0),
            change_receipts::room_id.eq(change.room_id.0),
            change_receipts::client_id.eq(client_id),
            result,
        ))
        .on_conflict((
            change_receipts::user_id,
            change_receipts::room_id,
            change_receipts::client_id,
        ))
        .do_update()
        .set(result)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes those that stand for nothing any more. Changes are rare.
pub(crate) async fn delete_expired_receipts(
    connection: &mut Connection,
) -> Result<(), DatabaseError> {
    let expired = now() - RECEIPT_LIFETIME;
    diesel::delete(change_receipts::table.filter(change_receipts::created_at.lt(Some(expired))))
        .execute(connection)
        .await?;
    Ok(())
}

type StateRow = (
    (i64, Int, i64, String),
    (Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<i32>),
);

/// The messages whose last change is behind `after`, in the order of these.
pub(crate) async fn list_after(
    connection: &mut Connection,
    room: RoomId,
    after: i64,
    limit: i64,
) -> Result<Vec<ChangedMessage>, DatabaseError> {
    let rows = paged(
        message_changes::table
            .inner_join(messages::table)
            .filter(message_changes::room_id.eq(room.0))
            .filter(message_changes::change.gt(after))
            .order(message_changes::change.asc())
            .select(STATE_COLUMNS),
        Page { skip: 0, limit },
    )
    .load::<StateRow>(connection)
    .await?;
    Ok(rows.into_iter().map(changed_message).collect())
}

/// At most `limit` messages.
pub(crate) async fn newest(
    connection: &mut Connection,
    room: RoomId,
    limit: i64,
) -> Result<NewestChanges, DatabaseError> {
    // First: what is changed after this comes in addition.
    let last = room_changes::table
        .find(room.0)
        .select(room_changes::last_change)
        .get_result::<i64>(connection)
        .await
        .optional()?
        .unwrap_or(0);
    if last == 0 {
        return Ok(NewestChanges {
            last,
            after: 0,
            messages: Vec::new(),
        });
    }
    let rows = paged(
        message_changes::table
            .inner_join(messages::table)
            .filter(message_changes::room_id.eq(room.0))
            .order(message_changes::change.desc())
            .select(STATE_COLUMNS),
        Page { skip: 0, limit },
    )
    .load::<StateRow>(connection)
    .await?;
    let mut messages: Vec<ChangedMessage> = rows.into_iter().map(changed_message).collect();
    messages.reverse();
    let is_all = i64::try_from(messages.len()).is_ok_and(|count| count < limit);
    let after = match messages.as_slice() {
        [oldest, ..] if !is_all => oldest.change - 1,
        _ => 0,
    };
    let newest = messages.iter().map(|message| message.change).max();
    Ok(NewestChanges {
        last: newest.map_or(last, |newest| newest.max(last)),
        after,
        messages,
    })
}

type WhichColumns = (
    message_changes::change,
    messages::id,
    message_changes::seq,
    messages::content,
);
type WhenColumns = (
    message_changes::edited_at,
    message_changes::deleted_at,
    message_changes::deleted_by,
);

const STATE_COLUMNS: (WhichColumns, WhenColumns) = (
    (
        message_changes::change,
        messages::id,
        message_changes::seq,
        messages::content,
    ),
    (
        message_changes::edited_at,
        message_changes::deleted_at,
        message_changes::deleted_by,
    ),
);

fn changed_message(row: StateRow) -> ChangedMessage {
    let ((change, Int(id), seq, content), (edited_at, deleted_at, deleted_by)) = row;
    ChangedMessage {
        change,
        id: MessageId(id),
        seq,
        content,
        edited_at,
        deleted_at,
        deleted_by: deleted_by.map(UserId),
    }
}
