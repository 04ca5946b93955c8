//! Moves the markers of what users have read, many in one statement.
//!
//! A marker that is there and not behind the new place stays, and is not among the
//! rows that come back.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Array, BigInt, Integer, Text};
use diesel::sqlite::Sqlite;

/// Answers the user and the room of each marker that has moved. Each user and room
/// may be there once.
pub(crate) fn move_markers(markers: &[(i32, i32, i64)]) -> MoveMarkers {
    MoveMarkers {
        markers: Markers {
            users: markers.iter().map(|(user, ..)| *user).collect(),
            rooms: markers.iter().map(|(_, room, _)| *room).collect(),
            seqs: markers.iter().map(|(.., seq)| *seq).collect(),
        },
    }
}

#[derive(Clone, Debug, QueryId)]
pub(crate) struct MoveMarkers {
    markers: Markers,
}

/// The columns of the table.
#[derive(Clone, Debug, QueryId)]
struct Markers {
    users: Vec<i32>,
    rooms: Vec<i32>,
    seqs: Vec<i64>,
}

impl Query for MoveMarkers {
    type SqlType = (Integer, Integer);
}

impl<C> diesel::RunQueryDsl<C> for MoveMarkers {}

const INSERT: &str = "INSERT INTO read_markers AS marker (user_id, room_id, seq) ";
const FORWARD: &str = " ON CONFLICT (user_id, room_id) DO UPDATE SET seq = excluded.seq \
     WHERE marker.seq < excluded.seq RETURNING user_id, room_id";

impl QueryFragment<Pg> for MoveMarkers {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(INSERT);
        out.push_sql("SELECT user_id, room_id, seq FROM unnest(");
        out.push_bind_param::<Array<Integer>, _>(&self.markers.users)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.markers.rooms)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.markers.seqs)?;
        // In order, so that two statements never wait for each other.
        out.push_sql(") AS new (user_id, room_id, seq) ORDER BY user_id, room_id");
        out.push_sql(FORWARD);
        Ok(())
    }
}

impl QueryFragment<Sqlite> for MoveMarkers {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(INSERT);
        out.push_sql(
            "SELECT value ->> 0, value ->> '$[1][0]', value ->> '$[1][1]' FROM json_each(",
        );
        out.push_bind_param::<Text, _>(&self.markers)?;
        // Without a WHERE, SQLite takes ON CONFLICT for a join's condition.
        out.push_sql(") WHERE true");
        out.push_sql(FORWARD);
        Ok(())
    }
}

impl ToSql<Text, Sqlite> for Markers {
    /// A JSON array of `[user, [room, place]]`.
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        let rooms_and_seqs = self.rooms.iter().zip(&self.seqs);
        let rows: Vec<_> = self.users.iter().zip(rooms_and_seqs).collect();
        out.set_value(serde_json::to_string(&rows)?);
        Ok(IsNull::No)
    }
}
