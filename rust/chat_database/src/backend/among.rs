//! "The column is one of these values" as a single bind.
//!
//! `eq_any` does this for PostgreSQL; for SQLite it makes a bind per value, which
//! means a new statement for every length and an error above SQLite's limit.

use diesel::QueryResult;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text};
use diesel::sqlite::Sqlite;
use serde::Serialize;

/// The condition, for an integer or text `column`. Neither form finds a NULL.
pub(crate) fn among<C, T>(column: C, values: Vec<T>) -> Among<C, T> {
    Among {
        column,
        values: Values(values),
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Among<C, T> {
    column: C,
    values: Values<T>,
}

#[derive(Clone, Debug)]
struct Values<T>(Vec<T>);

impl<C: QueryId, T: 'static> QueryId for Among<C, T> {
    type QueryId = Among<C::QueryId, T>;

    const HAS_STATIC_QUERY_ID: bool = C::HAS_STATIC_QUERY_ID;
}

impl<C: Expression, T> Expression for Among<C, T> {
    type SqlType = Bool;
}

impl<C: ValidGrouping<G>, T, G> ValidGrouping<G> for Among<C, T> {
    type IsAggregate = C::IsAggregate;
}

impl<C, T, From> AppearsOnTable<From> for Among<C, T> where C: AppearsOnTable<From> {}

impl<C, T, From> SelectableExpression<From> for Among<C, T> where C: SelectableExpression<From> {}

impl<C: QueryFragment<Pg>> QueryFragment<Pg> for Among<C, i32> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" = ANY(");
        out.push_bind_param::<Array<Integer>, _>(&self.values.0)?;
        out.push_sql(")");
        Ok(())
    }
}

impl<C: QueryFragment<Pg>> QueryFragment<Pg> for Among<C, i64> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" = ANY(");
        out.push_bind_param::<Array<BigInt>, _>(&self.values.0)?;
        out.push_sql(")");
        Ok(())
    }
}

impl<C: QueryFragment<Pg>> QueryFragment<Pg> for Among<C, String> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" = ANY(");
        out.push_bind_param::<Array<Text>, _>(&self.values.0)?;
        out.push_sql(")");
        Ok(())
    }
}

impl<C, T> QueryFragment<Sqlite> for Among<C, T>
where
    C: QueryFragment<Sqlite>,
    Values<T>: ToSql<Text, Sqlite>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" IN (SELECT value FROM json_each(");
        out.push_bind_param::<Text, _>(&self.values)?;
        out.push_sql("))");
        Ok(())
    }
}

impl<T: Serialize + std::fmt::Debug> ToSql<Text, Sqlite> for Values<T> {
    /// A JSON array.
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}
