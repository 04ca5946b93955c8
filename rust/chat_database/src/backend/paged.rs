//! A page of a query's rows, without making SQLite plan it anew each time.
//!
//! diesel's `limit` ends a query in a plain bind, and SQLite prepares a
//! statement again whenever such a LIMIT is bound to another value, even an
//! equal one: a quarter of the cost of a short list. It does not look into an
//! expression.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AsQuery, AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType};

use crate::models::Page;

/// The rows of `query`, which must be ordered, that are on `page`.
pub(crate) fn paged<Q: AsQuery>(query: Q, page: Page) -> Paged<Q::Query> {
    Paged {
        query: query.as_query(),
        limit: page.limit.max(0),
        offset: page.skip.max(0),
    }
}

#[derive(Clone, Copy, Debug, QueryId)]
pub(crate) struct Paged<Q> {
    query: Q,
    limit: i64,
    offset: i64,
}

impl<Q: Query> Query for Paged<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> diesel::RunQueryDsl<C> for Paged<Q> {}

impl<Q, DB> QueryFragment<DB> for Paged<Q>
where
    DB: Backend + HasSqlType<BigInt>,
    Q: QueryFragment<DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(" + 0 OFFSET ");
        out.push_bind_param::<BigInt, _>(&self.offset)
    }
}
