//! "The column is one of these ids" as a single bind.
//!
//! `eq_any` does this for PostgreSQL; for SQLite it makes a bind per id, which
//! means a new statement for every length and an error above SQLite's limit.

use diesel::QueryResult;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Array, Bool, Integer, Text};
use diesel::sqlite::Sqlite;

/// The condition, for an integer `column`. Neither form finds a NULL.
pub(crate) fn among<C>(column: C, ids: Vec<i32>) -> Among<C> {
    Among {
        column,
        ids: Ids(ids),
    }
}

#[derive(Clone, Debug, QueryId)]
pub(crate) struct Among<C> {
    column: C,
    ids: Ids,
}

#[derive(Clone, Debug)]
struct Ids(Vec<i32>);

impl<C: Expression> Expression for Among<C> {
    type SqlType = Bool;
}

impl<C: ValidGrouping<G>, G> ValidGrouping<G> for Among<C> {
    type IsAggregate = C::IsAggregate;
}

impl<C, From> AppearsOnTable<From> for Among<C> where C: AppearsOnTable<From> {}

impl<C, From> SelectableExpression<From> for Among<C> where C: SelectableExpression<From> {}

impl<C: QueryFragment<Pg>> QueryFragment<Pg> for Among<C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" = ANY(");
        out.push_bind_param::<Array<Integer>, _>(&self.ids.0)?;
        out.push_sql(")");
        Ok(())
    }
}

impl<C: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Among<C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" IN (SELECT value FROM json_each(");
        out.push_bind_param::<Text, _>(&self.ids)?;
        out.push_sql("))");
        Ok(())
    }
}

impl ToSql<Text, Sqlite> for Ids {
    /// A JSON array.
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(format!("{:?}", self.0));
        Ok(IsNull::No)
    }
}
