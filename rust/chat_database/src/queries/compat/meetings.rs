//! Meetings: what outlives them.

use chrono::{DateTime, Utc};
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::error::DatabaseError;
use crate::models::compat::{EndedMeeting, MEETING_COLUMNS, Meeting, MeetingStatus};
use crate::schema::compat::compat_meetings;
use crate::timestamp::{Moment, now};

const ACTIVE: &str = MeetingStatus::Active.as_str();

pub(crate) async fn create(
    connection: &mut Connection,
    id: &str,
    creator: &str,
) -> Result<Meeting, DatabaseError> {
    let meeting = diesel::insert_into(compat_meetings::table)
        .values((
            compat_meetings::public_id.eq(id),
            compat_meetings::creator_id.eq(creator),
            compat_meetings::status.eq(ACTIVE),
            compat_meetings::created_at.eq(Moment(now())),
        ))
        .returning(MEETING_COLUMNS)
        .get_result::<Meeting>(connection)
        .await?;
    Ok(meeting)
}

pub(crate) async fn find(
    connection: &mut Connection,
    id: &str,
) -> Result<Option<Meeting>, DatabaseError> {
    let meeting = compat_meetings::table
        .find(id)
        .select(MEETING_COLUMNS)
        .get_result::<Meeting>(connection)
        .await
        .optional()?;
    Ok(meeting)
}

/// Ends a meeting for its creator; ended again it keeps its first end.
pub(crate) async fn end(
    connection: &mut Connection,
    id: &str,
    user: &str,
) -> Result<EndedMeeting, DatabaseError> {
    let Some(meeting) = find(connection, id).await? else {
        return Ok(EndedMeeting::NoMeeting);
    };
    if meeting.creator_id != user {
        return Ok(EndedMeeting::NotTheCreator);
    }
    // An update of an ended one changes nothing.
    diesel::update(
        compat_meetings::table
            .find(id)
            .filter(compat_meetings::status.eq(ACTIVE)),
    )
    .set((
        compat_meetings::status.eq(MeetingStatus::Ended.as_str()),
        compat_meetings::ended_at.eq(Some(now())),
    ))
    .execute(connection)
    .await?;
    Ok(EndedMeeting::Ended)
}

/// Notes that somebody is in the meeting.
pub(crate) async fn set_occupied(
    connection: &mut Connection,
    id: &str,
) -> Result<(), DatabaseError> {
    let present = None::<DateTime<Utc>>;
    diesel::update(compat_meetings::table.find(id))
        .set((
            compat_meetings::joined_at.eq(Some(now())),
            compat_meetings::empty_since.eq(present),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes that nobody is in the meeting any more.
pub(crate) async fn set_empty(connection: &mut Connection, id: &str) -> Result<(), DatabaseError> {
    diesel::update(compat_meetings::table.find(id))
        .set(compat_meetings::empty_since.eq(Some(now())))
        .execute(connection)
        .await?;
    Ok(())
}

/// What a start finds: nobody can be in the meetings that had participants.
pub(crate) async fn set_all_empty(connection: &mut Connection) -> Result<(), DatabaseError> {
    diesel::update(
        compat_meetings::table
            .filter(compat_meetings::status.eq(ACTIVE))
            .filter(compat_meetings::joined_at.is_not_null())
            .filter(compat_meetings::empty_since.is_null()),
    )
    .set(compat_meetings::empty_since.eq(Some(now())))
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the meetings that have been empty since that time or longer.
pub(crate) async fn end_empty(
    connection: &mut Connection,
    since: DateTime<Utc>,
) -> Result<usize, DatabaseError> {
    let ended = diesel::update(
        compat_meetings::table.filter(
            compat_meetings::status
                .eq(ACTIVE)
                .and(compat_meetings::empty_since.le(Some(since))),
        ),
    )
    .set((
        compat_meetings::status.eq(MeetingStatus::Ended.as_str()),
        compat_meetings::ended_at.eq(Some(now())),
    ))
    .execute(connection)
    .await?;
    Ok(ended)
}
