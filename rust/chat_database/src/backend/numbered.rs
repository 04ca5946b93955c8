//! The numbers of the messages on a page.
//!
//! Looked up for the rows that are on the page, one by one: a join of the tables
//! would look them up for the rows in front of the page as well, and with a join of
//! the page the planner can prefer to read all numbers.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable};

use super::paged::Paged;

/// The rows of `page`, each with its number. The page must be of the columns of
/// messages, the newest first.
pub(crate) fn numbered<Q>(page: Paged<Q>) -> Numbered<Q> {
    Numbered { page }
}

#[derive(Clone, Copy, Debug, QueryId)]
pub(crate) struct Numbered<Q> {
    page: Paged<Q>,
}

impl<Q: Query> Query for Numbered<Q> {
    type SqlType = (Q::SqlType, Nullable<BigInt>);
}

impl<Q, C> diesel::RunQueryDsl<C> for Numbered<Q> {}

impl<Q, DB> QueryFragment<DB> for Numbered<Q>
where
    DB: Backend,
    Paged<Q>: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(
            "SELECT page.*, \
             (SELECT seq FROM message_sequence WHERE message_sequence.message_id = page.id) FROM (",
        );
        self.page.walk_ast(out.reborrow())?;
        out.push_sql(") AS page ORDER BY page.created_at DESC, page.id DESC");
        Ok(())
    }
}
