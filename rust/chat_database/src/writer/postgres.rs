//! Storing a group in PostgreSQL: one statement, and so one transaction and
//! one round trip.
//!
//! The columns travel as arrays: the statement is the same for every length of
//! the group and is prepared once. (A multi-row VALUES list would be a new
//! statement for each length and 1280 binds to build.)

use std::time::Duration;

use chat_protocol::ids::MessageId;
use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Outcomes, Row};
use crate::error::{DatabaseError, ErrorKind};
use crate::postgres::{PooledConnection, PostgresPool};
use crate::timestamp::UtcTime;

/// How long a statement may take before the server counts as away. Messages
/// told so may still become stored: nobody can know.
const STORE_TIMEOUT: Duration = Duration::from_secs(15);

/// # Errors
/// [`DatabaseError::Unavailable`] if the server is away; the group then counts
/// as a whole as not stored.
pub(super) async fn store(pool: &PostgresPool, rows: &[Row]) -> Result<Outcomes, DatabaseError> {
    let mut connection = pool.get().await?;
    match tokio::time::timeout(STORE_TIMEOUT, store_apart(&mut connection, rows)).await {
        Ok(outcomes) => outcomes,
        Err(_) => {
            // The next group must not queue up behind a statement that hangs.
            drop(PooledConnection::take(connection));
            Err(DatabaseError::unavailable("storing messages took too long"))
        }
    }
}

/// Stores the group; if that fails because of some message in it, each half by
/// itself, and so on down to the culprits. The halves are taken in order, so
/// the ids still ascend.
async fn store_apart(
    connection: &mut AsyncPgConnection,
    rows: &[Row],
) -> Result<Outcomes, DatabaseError> {
    let mut outcomes = Outcomes::with_capacity(rows.len());
    let mut parts = vec![rows];
    while let Some(part) = parts.pop() {
        match insert(connection, part).await {
            Ok(ids) if ids.len() == part.len() => {
                outcomes.extend(ids.into_iter().map(|id| Ok(MessageId(id))));
            }
            // Only a trigger can swallow rows, and then nobody knows which.
            Ok(_) => outcomes.extend(part.iter().map(|_| {
                Err(DatabaseError::internal(
                    "the server did not store every message of a group",
                ))
            })),
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                if outcomes.is_empty() {
                    return Err(error);
                }
                // Some are stored, and their senders must hear it.
                outcomes.resize_with(rows.len(), || Err(super::repeat(&error)));
                return Ok(outcomes);
            }
            Err(error) if part.len() == 1 => outcomes.push(Err(error)),
            Err(_) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.push(second);
                parts.push(first);
            }
        }
    }
    Ok(outcomes)
}

/// Answers the ids in the order of `rows`.
async fn insert(
    connection: &mut AsyncPgConnection,
    rows: &[Row],
) -> Result<Vec<i32>, DatabaseError> {
    Ok(InsertMessages::new(rows).load::<i32>(connection).await?)
}

struct InsertMessages<'a> {
    room_ids: Vec<i32>,
    sender_ids: Vec<i32>,
    contents: Vec<&'a str>,
    file_ids: Vec<Option<i32>>,
    times: Vec<DateTime<Utc>>,
}

impl<'a> InsertMessages<'a> {
    fn new(rows: &'a [Row]) -> Self {
        let messages = || rows.iter().map(|row| &row.message);
        Self {
            room_ids: messages().map(|message| message.room_id.0).collect(),
            sender_ids: messages().map(|message| message.sender_id.0).collect(),
            contents: messages().map(|message| message.content.as_str()).collect(),
            file_ids: messages()
                .map(|message| message.file_id.map(|id| id.0))
                .collect(),
            times: rows.iter().map(|row| row.created_at).collect(),
        }
    }
}

impl QueryFragment<Pg> for InsertMessages<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Ids are given out above the sort, in the order of the group, and
        // rows come back in the order they were inserted.
        out.push_sql(
            "INSERT INTO messages (room_id, sender_id, content, file_id, created_at) \
             SELECT room_id, sender_id, content, file_id, created_at FROM unnest(",
        );
        out.push_bind_param::<Array<Integer>, _>(&self.room_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.sender_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.contents)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Integer>>, _>(&self.file_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<UtcTime>, _>(&self.times)?;
        out.push_sql(
            ") WITH ORDINALITY \
             AS new (room_id, sender_id, content, file_id, created_at, position) \
             ORDER BY position RETURNING id",
        );
        Ok(())
    }
}

impl Query for InsertMessages<'_> {
    type SqlType = Integer;
}

impl QueryId for InsertMessages<'_> {
    type QueryId = InsertMessages<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
