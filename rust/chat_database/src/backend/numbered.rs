//! The numbers of the messages on a page.
//!
//! Looked up for the rows that are on the page: a join of the tables would look
//! them up for the rows in front of the page as well.

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
        out.push_sql("SELECT page.*, message_sequence.seq FROM (");
        self.page.walk_ast(out.reborrow())?;
        out.push_sql(
            ") AS page LEFT JOIN message_sequence ON message_sequence.message_id = page.id \
             ORDER BY page.created_at DESC, page.id DESC",
        );
        Ok(())
    }
}
