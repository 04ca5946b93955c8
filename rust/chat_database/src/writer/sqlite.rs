//! Storing a group in SQLite: one immediate transaction, one prepared insert.
//!
//! A failed insert undoes itself and nothing else, so the culprits are left
//! out on the way and the rest is committed.

use chat_protocol::ids::MessageId;
use diesel::dsl::exists;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection};

use super::{Outcomes, Row};
use crate::error::DatabaseError;
use crate::models::NewMessage;
use crate::schema::{messages, rooms, users};
use crate::sqlite::{SqliteAccess, SqlitePool};

/// # Errors
/// What made the whole group fail, for example a full disk.
pub(super) async fn store(
    pool: &SqlitePool,
    rows: Vec<Row>,
) -> Result<(Vec<Row>, Outcomes), DatabaseError> {
    pool.run(SqliteAccess::Write, move |connection| {
        let outcomes = connection.immediate_transaction(|connection| {
            rows.iter()
                .map(|row| match insert(connection, row) {
                    Ok(id) => Ok(Ok(MessageId(id))),
                    Err(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => {
                        find_missing(connection, &row.message).map(Err)
                    }
                    Err(error) => Err(error),
                })
                .collect::<QueryResult<Outcomes>>()
        })?;
        Ok((rows, outcomes))
    })
    .await?
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
