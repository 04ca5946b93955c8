//! Table `compat_meetings`.

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use crate::schema::compat::compat_meetings;

/// From active to ended, one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeetingStatus {
    Active,
    Ended,
}

impl MeetingStatus {
    /// The name in the table and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ended => "ended",
        }
    }
}

/// A row of `compat_meetings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    pub id: String,
    pub creator_id: String,
    pub status: MeetingStatus,
    pub created_at: DateTime<Utc>,
}

/// The outcome of ending a meeting on somebody's behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedMeeting {
    /// Now or before.
    Ended,
    NotTheCreator,
    NoMeeting,
}

pub(crate) const MEETING_COLUMNS: (
    compat_meetings::public_id,
    compat_meetings::creator_id,
    compat_meetings::status,
    compat_meetings::created_at,
) = (
    compat_meetings::public_id,
    compat_meetings::creator_id,
    compat_meetings::status,
    compat_meetings::created_at,
);

type Row = (String, String, String, DateTime<Utc>);

impl<ST, DB> Queryable<ST, DB> for Meeting
where
    DB: Backend,
    Row: FromStaticSqlRow<ST, DB>,
{
    type Row = Row;

    fn build(row: Row) -> deserialize::Result<Self> {
        let (id, creator_id, status, created_at) = row;
        Ok(Self {
            id,
            creator_id,
            status: match status.as_str() {
                "active" => MeetingStatus::Active,
                _ => MeetingStatus::Ended,
            },
            created_at,
        })
    }
}
