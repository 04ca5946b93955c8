//! The numbers of the messages on a page, and what happened to them.
//!
//! Looked up for the rows that are on the page: a join of the tables would look
//! them up for the rows in front of the page as well.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AsQuery, AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable};

use super::paged::Paged;
use crate::timestamp::UtcTime;

/// A row of messages with its number, and when the message was edited and deleted.
type Completed<T> = (T, Nullable<UtcTime>, Nullable<UtcTime>);

/// The rows of `page`. The page must be of the columns of messages, the newest first.
pub(crate) fn numbered<Q>(page: Paged<Q>, has_changes: bool) -> Numbered<Q> {
    Numbered { page, has_changes }
}

/// The rows of `query`, in the order of their numbers. It must be of the columns of
/// messages and their number.
pub(crate) fn changed<Q: AsQuery>(query: Q, has_changes: bool) -> WithChanges<Q::Query> {
    WithChanges {
        query: query.as_query(),
        has_changes,
    }
}

/// Whether there are changes never changes while a connection is open, and so it is
/// no part of the name under which a statement is kept.
#[derive(Clone, Copy, Debug, QueryId)]
pub(crate) struct Numbered<Q> {
    page: Paged<Q>,
    has_changes: bool,
}

#[derive(Clone, Copy, Debug, QueryId)]
pub(crate) struct WithChanges<Q> {
    query: Q,
    has_changes: bool,
}

impl<Q: Query> Query for Numbered<Q> {
    type SqlType = Completed<(Q::SqlType, Nullable<BigInt>)>;
}

impl<Q: Query> Query for WithChanges<Q> {
    type SqlType = Completed<Q::SqlType>;
}

impl<Q, C> diesel::RunQueryDsl<C> for Numbered<Q> {}
impl<Q, C> diesel::RunQueryDsl<C> for WithChanges<Q> {}

const TIMES: &str = ", message_changes.edited_at, message_changes.deleted_at FROM (";
const NO_TIMES: &str = ", NULL, NULL FROM (";

impl<Q, DB> QueryFragment<DB> for Numbered<Q>
where
    DB: Backend,
    Paged<Q>: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT page.*, message_sequence.seq");
        out.push_sql(if self.has_changes { TIMES } else { NO_TIMES });
        self.page.walk_ast(out.reborrow())?;
        out.push_sql(
            ") AS page LEFT JOIN message_sequence ON message_sequence.message_id = page.id",
        );
        if self.has_changes {
            out.push_sql(
                " LEFT JOIN message_changes ON message_changes.message_id = page.id \
                 AND message_changes.seq = message_sequence.seq",
            );
        }
        out.push_sql(" ORDER BY page.created_at DESC, page.id DESC");
        Ok(())
    }
}

impl<Q, DB> QueryFragment<DB> for WithChanges<Q>
where
    DB: Backend,
    Q: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT page.*");
        out.push_sql(if self.has_changes { TIMES } else { NO_TIMES });
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(") AS page");
        if self.has_changes {
            out.push_sql(
                " LEFT JOIN message_changes ON message_changes.message_id = page.id \
                 AND message_changes.seq = page.seq",
            );
        }
        out.push_sql(" ORDER BY page.seq");
        Ok(())
    }
}
