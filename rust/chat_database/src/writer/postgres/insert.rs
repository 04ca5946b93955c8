//! The statement for messages without names.
//!
//! The columns travel as arrays: the statement is the same for every length of
//! the group and is prepared once. (A multi-row VALUES list would be a new
//! statement for each length and 1280 binds to build.)

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Nullable, Text};

use super::Row;
use crate::timestamp::UtcTime;

/// Answers the ids in the order of the rows.
pub(super) struct InsertMessages<'a>(Columns<'a>);

/// The columns of a group.
pub(super) struct Columns<'a> {
    room_ids: Vec<i32>,
    sender_ids: Vec<i32>,
    contents: Vec<&'a str>,
    file_ids: Vec<Option<i32>>,
    times: Vec<DateTime<Utc>>,
}

impl<'a> InsertMessages<'a> {
    pub(super) fn new(rows: &[&'a Row]) -> Self {
        Self(Columns::new(rows))
    }
}

impl<'a> Columns<'a> {
    pub(super) fn new(rows: &[&'a Row]) -> Self {
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

    /// Room, sender, content, file and time, as arguments of `unnest`.
    pub(super) fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<Integer>, _>(&self.room_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.sender_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.contents)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Integer>>, _>(&self.file_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<UtcTime>, _>(&self.times)
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
        self.0.push(&mut out)?;
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
