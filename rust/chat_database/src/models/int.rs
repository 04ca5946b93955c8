//! Ids and sizes as they are read from the tables that the original made.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{BigInt, Integer, SmallInt};
use diesel::sqlite::Sqlite;

/// The value of an integer column, however wide an operator has made the column. A value
/// that has no room in 32 bits is an error.
#[derive(Clone, Copy, Debug, FromSqlRow, PartialEq, Eq, Hash)]
pub struct Int(pub(crate) i32);

impl FromSql<Integer, Pg> for Int {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let number = match value.as_bytes().len() {
            2 => <i16 as FromSql<SmallInt, Pg>>::from_sql(value)?.into(),
            8 => <i64 as FromSql<BigInt, Pg>>::from_sql(value)?.try_into()?,
            _ => <i32 as FromSql<Integer, Pg>>::from_sql(value)?,
        };
        Ok(Self(number))
    }
}

impl FromSql<Integer, Sqlite> for Int {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <i32 as FromSql<Integer, Sqlite>>::from_sql(value).map(Self)
    }
}
