//! The queries, one file per table or aggregate, for both back ends.
//!
//! Compiled twice, see `backend`. A function here is one use case: a fixed
//! number of queries on the connection it is given, however many rows there
//! are. Whether it runs inside a transaction is the caller's decision
//! (`database`); functions that need one say so.

pub(crate) mod access;
pub(crate) mod changes;
mod compat;
pub(crate) mod files;
pub(crate) mod memberships;
pub(crate) mod messages;
pub(crate) mod places;
pub(crate) mod reading;
pub(crate) mod receipts;
pub(crate) mod rooms;
pub(crate) mod uploads;
pub(crate) mod users;

pub(crate) use self::compat::{
    accounts as compat_accounts, calls as compat_calls, meetings as compat_meetings,
    messages as compat_messages, rooms as compat_rooms,
};
use super::{Connection, RunQueryDsl, lock_compat_room, lock_file, lock_room};
use crate::error::DatabaseError;

/// Asks the database for an answer, any answer.
pub(crate) async fn ping(connection: &mut Connection) -> Result<(), DatabaseError> {
    diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1"))
        .get_result::<i32>(connection)
        .await?;
    Ok(())
}
