//! The time stamp column type that both back ends share.
//!
//! PostgreSQL stores `timestamp with time zone`. SQLite stores UTC as text in
//! one fixed form of 32 characters, `2026-11-20 09:29:26.587963+00:00`, so that
//! the order of the text is the order in time. Both keep microseconds.
//!
//! Reading the fixed form costs a tenth of chrono's general parser, which
//! matters in lists: every row has one or two. Any other form that SQLite's own
//! functions or diesel write is understood too.

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Timelike, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{SqlType, Timestamptz, TimestamptzSqlite};
use diesel::sqlite::Sqlite;

/// The SQL type of every time stamp column. (Not called `Timestamp`: for types of
/// that name `table!` generates arithmetic.)
#[derive(Clone, Copy, Debug, QueryId, SqlType)]
#[diesel(
    postgres_type(oid = 1184, array_oid = 1185),
    sqlite_type(name = "Text")
)]
pub struct UtcTime;

/// The present, at the precision the databases keep.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// A time as the value of a column that is never NULL. (The trait diesel wants
/// for that cannot be implemented for chrono's type here; for nullable columns it
/// is there.)
#[derive(AsExpression, Clone, Copy, Debug)]
#[diesel(sql_type = UtcTime)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

impl ToSql<UtcTime, Pg> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<UtcTime, Pg>::to_sql(&self.0, out)
    }
}

impl ToSql<UtcTime, Sqlite> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        ToSql::<UtcTime, Sqlite>::to_sql(&self.0, out)
    }
}

impl ToSql<UtcTime, Pg> for DateTime<Utc> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(self, out)
    }
}

impl FromSql<UtcTime, Pg> for DateTime<Utc> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <Self as FromSql<Timestamptz, Pg>>::from_sql(value)
    }
}

impl ToSql<UtcTime, Sqlite> for DateTime<Utc> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(to_text(self));
        Ok(IsNull::No)
    }
}

impl FromSql<UtcTime, Sqlite> for DateTime<Utc> {
    fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        if let Some(time) = from_fixed_form(value.read_text().as_bytes()) {
            return Ok(time);
        }
        <Self as FromSql<TimestamptzSqlite, Sqlite>>::from_sql(value)
    }
}

/// The fixed form. Years outside 0 to 9999 do not occur: all times come from
/// the clock.
fn to_text(time: &DateTime<Utc>) -> String {
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}+00:00",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.timestamp_subsec_micros().min(999_999),
    )
}

fn from_fixed_form(text: &[u8]) -> Option<DateTime<Utc>> {
    const PUNCTUATION: [(usize, u8); 6] = [
        (4, b'-'),
        (7, b'-'),
        (10, b' '),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
    ];
    if text.len() != 32
        || !text.ends_with(b"+00:00")
        || PUNCTUATION.iter().any(|(at, byte)| text[*at] != *byte)
    {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0_u32, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + u32::from(digit - b'0'))
        })
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?
        .and_hms_micro_opt(
            number(11, 13)?,
            number(14, 16)?,
            number(17, 19)?,
            number(20, 26)?,
        )
        .map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn the_fixed_form_round_trips_and_sorts_like_time() {
        let times = [
            "0987-01-01T00:00:00Z",
            "2025-12-31T23:59:59.999999Z",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.000001Z",
            "2026-01-01T00:00:00.100Z",
            "2026-01-01T00:00:01Z",
        ]
        .map(time);
        let texts = times.map(|time| to_text(&time));
        assert!(texts.is_sorted());
        for (text, time) in texts.iter().zip(times) {
            assert_eq!(text.len(), 32);
            assert_eq!(from_fixed_form(text.as_bytes()), Some(time));
        }
    }

    #[test]
    fn other_forms_are_left_to_the_general_parser() {
        for text in [
            "2026-01-01 00:00:00+00:00",
            "2026-01-01 00:00:00.000000+01:00",
            "2026-13-01 00:00:00.000000+00:00",
            "2026-01-01T00:00:00.000000+00:00",
            "2026-01-01 00:00:0x.000000+00:00",
            "",
        ] {
            assert_eq!(from_fixed_form(text.as_bytes()), None, "{text}");
        }
    }
}
