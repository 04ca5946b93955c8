//! The statement for messages without names.
//!
//! The columns travel as arrays: the statement is the same for every length of
//! the group and is prepared once. (A multi-row VALUES list would be a new
//! statement for each length and 1280 binds to build.)

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Nullable, Text};

use super::Row;
use super::times::Times;
use crate::timestamp::UtcTime;

/// Answers the ids in the order of the rows.
pub(super) struct InsertMessages<'a, T> {
    columns: Columns<'a>,
    times: PhantomData<T>,
}

/// The columns of a group.
pub(super) struct Columns<'a> {
    pub(super) room_ids: Vec<i32>,
    sender_ids: Vec<i32>,
    contents: Vec<&'a str>,
    file_ids: Vec<Option<i32>>,
    times: Vec<DateTime<Utc>>,
}

impl<'a, T> InsertMessages<'a, T> {
    pub(super) fn new(rows: &[&'a Row]) -> Self {
        Self {
            columns: Columns::new(rows),
            times: PhantomData,
        }
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

impl<T: Times> QueryFragment<Pg> for InsertMessages<'_, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Ids are given out above the sort, in the order of the group, and
        // rows come back in the order they were inserted.
        T::push_with(&self.columns.room_ids, true, &mut out)?;
        out.push_sql(
            "INSERT INTO messages (room_id, sender_id, content, file_id, created_at) \
             SELECT room_id, sender_id, content, file_id, ",
        );
        out.push_sql(T::EXPRESSION);
        out.push_sql(" FROM unnest(");
        self.columns.push(&mut out)?;
        out.push_sql(
            ") WITH ORDINALITY \
             AS given (room_id, sender_id, content, file_id, created_at, position)",
        );
        out.push_sql(T::SOURCE);
        out.push_sql(" ORDER BY position RETURNING id");
        Ok(())
    }
}

impl<T> Query for InsertMessages<'_, T> {
    type SqlType = Integer;
}

impl<T: Times> QueryId for InsertMessages<'_, T> {
    type QueryId = InsertMessages<'static, T::QueryId>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
