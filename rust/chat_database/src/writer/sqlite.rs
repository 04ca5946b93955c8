//! Storing a group in SQLite: one immediate transaction, prepared statements.
//!
//! A failed insert undoes itself and nothing else, so the culprits are left
//! out on the way and the rest is committed.

use chat_protocol::ids::MessageId;
use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::clock::Clock;
use super::{Outcome, Outcomes, Row};
use crate::error::DatabaseError;
use crate::models::{NewMessage, RECEIPT_LIFETIME, Stored};
use crate::schema::{message_receipts, message_sequence, messages, rooms, users};
use crate::sqlite::{SqliteAccess, SqlitePool};

/// With a `clock`, the rows get their times once no other process can store anything.
///
/// # Errors
/// What made the whole group fail, for example a full disk.
pub(super) async fn store(
    pool: &SqlitePool,
    mut rows: Vec<Row>,
    is_numbered: bool,
    clock: Option<Clock>,
) -> Result<(Vec<Row>, Outcomes), DatabaseError> {
    pool.run(SqliteAccess::Write, move |connection| {
        let outcomes = connection.immediate_transaction(|connection| {
            if let Some(mut clock) = clock {
                // Nobody else stores anything from here on.
                for row in &mut rows {
                    row.created_at = clock.next();
                }
            }
            rows.iter()
                .map(|row| store_row(connection, row, is_numbered))
                .collect::<QueryResult<Outcomes>>()
        })?;
        Ok((rows, outcomes))
    })
    .await?
}

fn store_row(
    connection: &mut SqliteConnection,
    row: &Row,
    is_numbered: bool,
) -> QueryResult<Result<Outcome, DatabaseError>> {
    let client_id = row.message.client_id.as_deref();
    if let Some(client_id) = client_id
        && let Some(first) = find_first(connection, row, client_id)?
    {
        return Ok(Ok(Outcome::Repeat(first)));
    }
    let id = match insert(connection, row) {
        Ok(id) => id,
        Err(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => {
            return find_missing(connection, &row.message).map(Err);
        }
        Err(error) => return Err(error),
    };
    if let Some(client_id) = client_id {
        insert_receipt(connection, row, client_id, id)?;
    }
    let seq = if is_numbered {
        Some(find_seq(connection, id)?)
    } else {
        None
    };
    let id = MessageId(id);
    Ok(Ok(Outcome::New {
        id,
        seq,
        created_at: None,
    }))
}

fn insert(connection: &mut SqliteConnection, row: &Row) -> QueryResult<i32> {
    let message = &row.message;
    diesel::insert_into(messages::table)
        .values((
            messages::room_id.eq(message.room_id.0),
            messages::sender_id.eq(message.sender_id.0),
            messages::content.eq(&message.content),
            messages::file_id.eq(message.file_id.map(|id| id.0)),
            messages::created_at.eq(Some(row.created_at)),
        ))
        .returning(messages::id)
        .get_result(connection)
}

/// The number that the trigger has given the message.
fn find_seq(connection: &mut SqliteConnection, id: i32) -> QueryResult<i64> {
    message_sequence::table
        .filter(message_sequence::message_id.eq(id))
        .select(message_sequence::seq)
        .get_result(connection)
}

/// The message that `client_id` stands for.
fn find_first(
    connection: &mut SqliteConnection,
    row: &Row,
    client_id: &str,
) -> QueryResult<Option<Stored>> {
    let message = &row.message;
    let first = message_receipts::table
        .inner_join(messages::table)
        .inner_join(
            message_sequence::table
                .on(message_sequence::message_id.eq(message_receipts::message_id)),
        )
        .filter(message_receipts::sender_id.eq(message.sender_id.0))
        .filter(message_receipts::room_id.eq(message.room_id.0))
        .filter(message_receipts::client_id.eq(client_id))
        .filter(message_receipts::created_at.ge(Some(row.created_at - RECEIPT_LIFETIME)))
        .select((
            messages::id,
            message_sequence::seq,
            message_receipts::created_at.assume_not_null(),
            messages::content,
        ))
        .get_result::<(i32, i64, DateTime<Utc>, String)>(connection)
        .optional()?;
    Ok(first.map(|(id, seq, created_at, content)| Stored {
        id: MessageId(id),
        seq: Some(seq),
        created_at,
        content,
        is_repeat: true,
    }))
}

/// Takes the place of one that is no longer valid.
fn insert_receipt(
    connection: &mut SqliteConnection,
    row: &Row,
    client_id: &str,
    id: i32,
) -> QueryResult<usize> {
    diesel::replace_into(message_receipts::table)
        .values((
            message_receipts::sender_id.eq(row.message.sender_id.0),
            message_receipts::room_id.eq(row.message.room_id.0),
            message_receipts::client_id.eq(client_id),
            message_receipts::message_id.eq(id),
            message_receipts::created_at.eq(Some(row.created_at)),
        ))
        .execute(connection)
}

/// SQLite does not say which reference of the message leads nowhere.
fn find_missing(
    connection: &mut SqliteConnection,
    message: &NewMessage,
) -> QueryResult<DatabaseError> {
    let (has_room, has_sender) = diesel::select((
        exists(rooms::table.find(message.room_id.0)),
        exists(users::table.find(message.sender_id.0)),
    ))
    .get_result::<(bool, bool)>(connection)?;
    Ok(match (has_room, has_sender) {
        (false, _) => DatabaseError::RoomNotFound,
        (_, false) => DatabaseError::UserNotFound,
        // The only reference left.
        (true, true) => DatabaseError::FileNotFound,
    })
}
