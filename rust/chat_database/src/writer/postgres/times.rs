//! Whose clock the times of messages come from.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryId};
use diesel::sql_types::{Array, Integer};

/// How a statement gets the times of its rows: from `given`, the unnested arguments with
/// a `position` and a `created_at`.
pub(super) trait Times: QueryId<QueryId: 'static> + 'static {
    /// What comes in front of the statement, which has `WITH` in front of it or nothing.
    fn push_with<'b>(
        room_ids: &'b Vec<i32>,
        is_first: bool,
        out: &mut AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()>;

    /// The time of a row of `given`.
    const EXPRESSION: &'static str;
    /// What has to stand behind `given` among the sources for that.
    const SOURCE: &'static str;
}

/// From the clock of this process, which is the only one that stores messages.
#[derive(Clone, Copy, Debug, QueryId)]
pub(super) struct Given;

/// From the server's clock, once the counters of the rooms are locked: what other
/// processes store in these rooms is stored before that or after the commit. So times
/// and ids ascend with the numbers. The counters are locked in one order, so that two
/// groups never wait for each other.
#[derive(Clone, Copy, Debug, QueryId)]
pub(super) struct Lockstep;

impl Times for Given {
    fn push_with<'b>(_: &'b Vec<i32>, _: bool, _: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        Ok(())
    }

    const EXPRESSION: &'static str = "given.created_at";
    const SOURCE: &'static str = "";
}

impl Times for Lockstep {
    fn push_with<'b>(
        room_ids: &'b Vec<i32>,
        is_first: bool,
        out: &mut AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        if is_first {
            out.push_sql("WITH ");
        }
        out.push_sql(
            "locked AS MATERIALIZED (\
                 SELECT room_id FROM room_sequences WHERE room_id = ANY(",
        );
        out.push_bind_param::<Array<Integer>, _>(room_ids)?;
        out.push_sql(
            ") ORDER BY room_id FOR UPDATE\
             ), moment AS MATERIALIZED (\
                 SELECT clock_timestamp() AS began \
                 FROM (SELECT count(*) FROM locked) AS all_of_them\
             )",
        );
        out.push_sql(if is_first { " " } else { ", " });
        Ok(())
    }

    const EXPRESSION: &'static str = "moment.began + given.position * interval '1 microsecond'";
    const SOURCE: &'static str = ", moment";
}
