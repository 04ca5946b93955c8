//! Users by name and rooms by id, for many pairs in one statement.
//!
//! One statement because a storm of handshakes asks this, and because each is a
//! transaction and a round trip of its own. diesel has no list of values to join
//! with, and the two back ends have different ones.

use diesel::QueryResult;
use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Array, BigInt, Bool, Integer, IntoNullable, Text};
use diesel::sqlite::Sqlite;

use crate::models::{ROOM_COLUMNS, RoomColumns, USER_COLUMNS, UserColumns};

/// A row for each pair: its place in the list, its user, its room, and whether the
/// room is private with the user among its members.
pub(crate) fn entries(pairs: impl Iterator<Item = (String, i32)>) -> Entries {
    let (names, rooms) = pairs.unzip();
    Entries {
        pairs: Pairs { names, rooms },
    }
}

#[derive(Clone, Debug, QueryId)]
pub(crate) struct Entries {
    pairs: Pairs,
}

#[derive(Clone, Debug, QueryId)]
struct Pairs {
    names: Vec<String>,
    rooms: Vec<i32>,
}

type OrNull<Columns> = <SqlTypeOf<Columns> as IntoNullable>::Nullable;

impl Query for Entries {
    type SqlType = (BigInt, OrNull<UserColumns>, OrNull<RoomColumns>, Bool);
}

impl<C> diesel::RunQueryDsl<C> for Entries {}

const MEMBERSHIP: &str = ", COALESCE(rooms.is_private AND EXISTS (SELECT 1 FROM user_rooms \
     WHERE user_rooms.room_id = rooms.id AND user_rooms.user_id = users.id), FALSE) FROM ";
const JOINS: &str = " LEFT JOIN users ON users.username = pair.name \
     LEFT JOIN rooms ON rooms.id = pair.room";

impl QueryFragment<Pg> for Entries {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT pair.place - 1, ");
        USER_COLUMNS.walk_ast(out.reborrow())?;
        out.push_sql(", ");
        ROOM_COLUMNS.walk_ast(out.reborrow())?;
        out.push_sql(MEMBERSHIP);
        out.push_sql("unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.pairs.names)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.pairs.rooms)?;
        out.push_sql(") WITH ORDINALITY AS pair (name, room, place)");
        out.push_sql(JOINS);
        Ok(())
    }
}

impl QueryFragment<Sqlite> for Entries {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT pair.place, ");
        USER_COLUMNS.walk_ast(out.reborrow())?;
        out.push_sql(", ");
        ROOM_COLUMNS.walk_ast(out.reborrow())?;
        out.push_sql(MEMBERSHIP);
        out.push_sql(
            "(SELECT key AS place, value ->> 0 AS name, value ->> 1 AS room FROM json_each(",
        );
        out.push_bind_param::<Text, _>(&self.pairs)?;
        out.push_sql(")) AS pair");
        out.push_sql(JOINS);
        Ok(())
    }
}

impl ToSql<Text, Sqlite> for Pairs {
    /// A JSON array of pairs.
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        let pairs: Vec<_> = self.names.iter().zip(&self.rooms).collect();
        out.set_value(serde_json::to_string(&pairs)?);
        Ok(IsNull::No)
    }
}
