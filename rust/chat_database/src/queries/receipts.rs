//! Receipts: which message a sender's own id of it stands for. They are written by
//! the writer.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::backend::paged;
use crate::error::DatabaseError;
use crate::models::{Page, RECEIPT_LIFETIME};
use crate::schema::message_receipts;
use crate::timestamp::now;

/// How many are deleted at once, so that a writer does not wait long.
const BATCH: i64 = 1000;
/// A receipt that was valid when a message was compared with it is still read
/// after that.
const MARGIN: TimeDelta = TimeDelta::hours(1);

/// Deletes the oldest of those that are no longer valid; true if there are more.
pub(crate) async fn delete_expired(connection: &mut Connection) -> Result<bool, DatabaseError> {
    let expired = now() - RECEIPT_LIFETIME - MARGIN;
    let oldest = message_receipts::table
        .filter(message_receipts::created_at.lt(Some(expired)))
        .order(message_receipts::created_at.asc())
        .select(message_receipts::created_at);
    let end = Page {
        skip: BATCH,
        limit: 1,
    };
    // Of the first one that is left for the next time.
    let next = paged(oldest, end)
        .get_result::<Option<DateTime<Utc>>>(connection)
        .await
        .optional()?;
    let end = next.flatten().unwrap_or(expired);
    diesel::delete(message_receipts::table.filter(message_receipts::created_at.le(Some(end))))
        .execute(connection)
        .await?;
    Ok(next.is_some())
}
