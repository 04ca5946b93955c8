//! Storing a group in PostgreSQL: one statement, and so one transaction and
//! one round trip; and a second one for the numbers that the messages got.
//!
//! Where senders have named messages, the same statement claims the names, so a
//! message and its receipt are stored together or not at all. Whoever claims the
//! same at the same moment waits for the other, and is answered with its message.

mod claim;
mod first;
mod group;
mod insert;
mod times;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{NullableExpressionMethods, QueryDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use self::claim::ClaimMessages;
use self::first::find_firsts;
use self::group::Group;
use self::insert::InsertMessages;
use self::times::{Given, Lockstep};
use super::{Numbering, Outcomes, Row};
use crate::backend::among;
use crate::error::{DatabaseError, ErrorKind};
use crate::models::{Int, Stored};
use crate::postgres::{Lane, PostgresPool};
use crate::schema::{message_sequence, messages};

/// How long a statement may take before the server counts as away. Messages
/// told so may still become stored: nobody can know.
const STORE_TIMEOUT: Duration = Duration::from_secs(15);

/// The id of a message that was stored; none for one that was stored before.
type Written = Result<Option<i32>, DatabaseError>;

/// What the server knows of the rows of a group once they are stored.
#[derive(Default)]
struct Found {
    /// The numbers of new messages, by id.
    seqs: HashMap<i32, i64>,
    /// Their times, where the server has chosen them.
    times: HashMap<i32, DateTime<Utc>>,
    /// For each row that was stored before, in the same order, the message.
    firsts: Vec<Option<Stored>>,
}

/// # Errors
/// [`DatabaseError::Unavailable`] if the server is away; the group then counts
/// as a whole as not stored.
pub(super) async fn store(
    pool: &PostgresPool,
    rows: &[Row],
    numbering: Numbering,
) -> Result<Outcomes, DatabaseError> {
    let group = Group::new(rows);
    let distinct = &group.distinct;
    let written = on_session(pool, async |connection, attempt| {
        store_apart(connection, distinct, numbering, attempt).await
    })
    .await?;
    let found = if numbering == Numbering::None {
        Found::default()
    } else {
        let find =
            async |connection: &mut _, _| find(connection, distinct, &written, numbering).await;
        match on_session(pool, find).await {
            // The session broke after the commit; what was stored is not lost yet.
            Err(error) if error.kind() == ErrorKind::Unavailable => on_session(pool, find).await?,
            found => found?,
        }
    };
    Ok(group.into_outcomes(written, found))
}

/// Which of the sessions it is that a piece of work runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    First,
    /// A new one, because the first may have been to blame.
    Second,
}

async fn on_session<T>(
    pool: &PostgresPool,
    work: impl AsyncFn(&mut AsyncPgConnection, Attempt) -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    let mut connection = pool.get(Lane::Writer).await?;
    let mut attempt = Attempt::First;
    loop {
        let work = work(&mut connection, attempt);
        let Ok(result) = tokio::time::timeout(STORE_TIMEOUT, work).await else {
            // Without its session: the next statement must not queue up behind one that
            // hangs.
            return Err(DatabaseError::unavailable("storing messages took too long"));
        };
        if attempt == Attempt::First && connection.is_to_blame_for(&result) {
            connection = connection.renew().await?;
            attempt = Attempt::Second;
            continue;
        }
        connection.finish(&result, attempt == Attempt::Second);
        return result;
    }
}

/// Stores the group; if that fails because of some message in it, each half by
/// itself, and so on down to the culprits. The halves are taken in order, so
/// the ids still ascend. What may be the session's fault is left to the second attempt.
async fn store_apart(
    connection: &mut AsyncPgConnection,
    rows: &[&Row],
    numbering: Numbering,
    attempt: Attempt,
) -> Result<Vec<Written>, DatabaseError> {
    let mut outcomes = Vec::with_capacity(rows.len());
    let mut parts = vec![rows];
    while let Some(part) = parts.pop() {
        match write(connection, part, numbering).await {
            Ok(ids) if ids.len() == part.len() => {
                outcomes.extend(ids.into_iter().map(Ok));
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
            Err(error)
                if attempt == Attempt::First
                    && outcomes.is_empty()
                    && error.may_be_of_session() =>
            {
                return Err(error);
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

/// Answers in the order of `rows`, in which the ids ascend.
async fn write(
    connection: &mut AsyncPgConnection,
    rows: &[&Row],
    numbering: Numbering,
) -> Result<Vec<Option<i32>>, DatabaseError> {
    let has_peers = numbering == Numbering::WithPeers;
    if rows.iter().any(|row| row.message.client_id.is_some()) {
        let ids: Vec<Option<Int>> = match has_peers {
            true => {
                ClaimMessages::<Lockstep>::new(rows)
                    .load(connection)
                    .await?
            }
            false => ClaimMessages::<Given>::new(rows).load(connection).await?,
        };
        return Ok(ids.into_iter().map(|id| Some(id?.0)).collect());
    }
    let ids: Vec<Int> = match has_peers {
        true => {
            InsertMessages::<Lockstep>::new(rows)
                .load(connection)
                .await?
        }
        false => InsertMessages::<Given>::new(rows).load(connection).await?,
    };
    Ok(ids.into_iter().map(|id| Some(id.0)).collect())
}

async fn find(
    connection: &mut AsyncPgConnection,
    rows: &[&Row],
    written: &[Written],
    numbering: Numbering,
) -> Result<Found, DatabaseError> {
    let mut found = Found::default();
    let ids: Vec<i32> = written.iter().flatten().copied().flatten().collect();
    if !ids.is_empty() {
        let seqs = message_sequence::table
            .filter(among(message_sequence::message_id, ids.clone()))
            .select((message_sequence::message_id, message_sequence::seq))
            .load::<(i32, i64)>(connection)
            .await?;
        found.seqs = seqs.into_iter().collect();
    }
    if numbering == Numbering::WithPeers && !ids.is_empty() {
        let times = messages::table
            .filter(among(messages::id, ids))
            .select((messages::id, messages::created_at.assume_not_null()))
            .load::<(Int, DateTime<Utc>)>(connection)
            .await?;
        found.times = times.into_iter().map(|(id, time)| (id.0, time)).collect();
    }
    let repeats: Vec<&Row> = rows
        .iter()
        .zip(written)
        .filter_map(|(row, written)| matches!(written, Ok(None)).then_some(*row))
        .collect();
    if !repeats.is_empty() {
        found.firsts = find_firsts(connection, &repeats).await?;
    }
    Ok(found)
}
