//! Messages of the sibling systems: storing and history.

use chrono::{DateTime, Utc};
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::backend::paged;
use crate::error::DatabaseError;
use crate::models::Page;
use crate::models::compat::{MESSAGE_COLUMNS, Message, MessageToStore, RoomKey};
use crate::schema::compat::compat_messages;
use crate::timestamp::Moment;

/// Stores a group in its order, all or nothing. Needs a transaction.
pub(crate) async fn store(
    connection: &mut Connection,
    group: &[MessageToStore],
) -> Result<(), DatabaseError> {
    let rows: Vec<_> = group
        .iter()
        .map(|MessageToStore { room, message }| {
            (
                compat_messages::public_id.eq(&message.id),
                compat_messages::room_id.eq(room.0),
                compat_messages::sender_id.eq(&message.sender_id),
                compat_messages::sender_name.eq(&message.sender_name),
                compat_messages::content.eq(&message.content),
                compat_messages::image_url.eq(message.image_url.as_deref()),
                compat_messages::created_at.eq(Moment(message.created_at)),
            )
        })
        .collect();
    diesel::insert_into(compat_messages::table)
        .values(rows)
        .execute(connection)
        .await?;
    Ok(())
}

/// The time of the message stored last.
pub(crate) async fn newest_time(
    connection: &mut Connection,
) -> Result<Option<DateTime<Utc>>, DatabaseError> {
    let time = compat_messages::table
        .order(compat_messages::id.desc())
        .limit(1)
        .select(compat_messages::created_at)
        .get_result::<DateTime<Utc>>(connection)
        .await
        .optional()?;
    Ok(time)
}

/// Newest first.
pub(crate) async fn page(
    connection: &mut Connection,
    room: RoomKey,
    page: Page,
) -> Result<Vec<Message>, DatabaseError> {
    let messages = paged(
        compat_messages::table
            .filter(compat_messages::room_id.eq(room.0))
            .order((
                compat_messages::created_at.desc(),
                compat_messages::id.desc(),
            ))
            .select(MESSAGE_COLUMNS),
        page,
    )
    .load::<Message>(connection)
    .await?;
    Ok(messages)
}

/// Those before a point in time, newest first.
pub(crate) async fn before_time(
    connection: &mut Connection,
    room: RoomKey,
    time: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Message>, DatabaseError> {
    before(connection, room, time, i64::MIN, limit).await
}

/// Those before a message of the room, newest first; none if it is not there.
pub(crate) async fn before_message(
    connection: &mut Connection,
    room: RoomKey,
    id: &str,
    limit: i64,
) -> Result<Vec<Message>, DatabaseError> {
    let place = compat_messages::table
        .filter(compat_messages::public_id.eq(id))
        .filter(compat_messages::room_id.eq(room.0))
        .select((compat_messages::created_at, compat_messages::id))
        .get_result::<(DateTime<Utc>, i64)>(connection)
        .await
        .optional()?;
    match place {
        Some((time, key)) => before(connection, room, time, key, limit).await,
        None => Ok(Vec::new()),
    }
}

async fn before(
    connection: &mut Connection,
    room: RoomKey,
    time: DateTime<Utc>,
    key: i64,
    limit: i64,
) -> Result<Vec<Message>, DatabaseError> {
    let messages = paged(
        compat_messages::table
            .filter(compat_messages::room_id.eq(room.0))
            // Alone it is what the index is searched by.
            .filter(compat_messages::created_at.le(Moment(time)))
            .filter(
                compat_messages::created_at
                    .lt(Moment(time))
                    .or(compat_messages::id.lt(key)),
            )
            .order((
                compat_messages::created_at.desc(),
                compat_messages::id.desc(),
            ))
            .select(MESSAGE_COLUMNS),
        Page { skip: 0, limit },
    )
    .load::<Message>(connection)
    .await?;
    Ok(messages)
}
