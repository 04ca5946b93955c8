//! The numbers of the messages that are older than their numbering.
//!
//! The migration has set the counters of their rooms as if they had them, and
//! the database numbers what has come since. What is left is to write the old
//! ones down, which takes seconds for a million and is done room by room in
//! transactions of their own: messages can be stored meanwhile, and after an
//! interruption the rest is done at the next start.

use std::ops::RangeInclusive;

use diesel::prelude::*;
use diesel::query_builder::SqlQuery;
use diesel::query_dsl::methods::LoadQuery;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Integer};

use super::Migrate;
use crate::error::DatabaseError;

/// About how many messages get their numbers in one transaction; one room is
/// never divided.
const MESSAGES_PER_TRANSACTION: i64 = 50_000;

#[derive(QueryableByName)]
pub(super) struct UnnumberedRoom {
    #[diesel(sql_type = Integer)]
    room_id: i32,
    #[diesel(sql_type = BigInt)]
    unnumbered: i64,
}

/// Numbers what has no number yet.
///
/// # Errors
/// As for any query. What was done so far stays.
pub(super) fn number_old_messages<C>(connection: &mut C) -> Result<(), DatabaseError>
where
    C: Migrate,
    SqlQuery: for<'a> LoadQuery<'a, C, UnnumberedRoom>,
{
    let rooms: Vec<UnnumberedRoom> = sql_query(
        "select room_id, unnumbered from room_sequences where unnumbered > 0 order by room_id",
    )
    .load(connection)?;
    let messages: i64 = rooms.iter().map(|room| room.unnumbered).sum();
    if messages == 0 {
        return Ok(());
    }
    tracing::info!(messages, rooms = rooms.len(), "numbering old messages");
    for rooms in batches(&rooms) {
        connection.exclusively(|connection| Ok(number_rooms(connection, &rooms)?))?;
    }
    Ok(())
}

/// Ranges of rooms, in ascending order.
fn batches(rooms: &[UnnumberedRoom]) -> Vec<RangeInclusive<i32>> {
    let mut batches: Vec<(RangeInclusive<i32>, i64)> = Vec::new();
    for room in rooms {
        match batches.last_mut() {
            Some((rooms, messages)) if *messages < MESSAGES_PER_TRANSACTION => {
                *rooms = *rooms.start()..=room.room_id;
                *messages += room.unnumbered;
            }
            _ => batches.push((room.room_id..=room.room_id, room.unnumbered)),
        }
    }
    batches.into_iter().map(|(rooms, _)| rooms).collect()
}

/// In the order of the ids. The counters, for which whoever stores messages
/// waits, are changed last.
fn number_rooms<C: Migrate>(connection: &mut C, rooms: &RangeInclusive<i32>) -> QueryResult<()> {
    let (first, last) = (rooms.start(), rooms.end());
    connection.batch_execute(&format!(
        "insert into message_sequence (room_id, seq, message_id)
         select room_id, row_number() over (partition by room_id order by id), id
         from messages
         where room_id between {first} and {last} and not exists (
             select 1 from message_sequence where message_id = messages.id
         )"
    ))?;
    connection.lock_counters(rooms)?;
    connection.batch_execute(&format!(
        "update room_sequences set unnumbered = 0
         where room_id between {first} and {last} and unnumbered > 0"
    ))
}
