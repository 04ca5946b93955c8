//! Rooms: look-ups, lists with owners and members, creation, changes.

use std::sync::Arc;

use chat_protocol::ids::{RoomId, UserId};
use diesel::dsl::exists;
use diesel::{ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl};

use super::{Connection, RunQueryDsl, memberships, users as user_queries};
use crate::backend::paged;
use crate::error::DatabaseError;
use crate::models::{
    NewRoom, Page, ROOM_COLUMNS, Room, RoomAccess, RoomChanges, RoomDetails, USER_COLUMNS, User,
};
use crate::schema::{rooms, user_rooms, users};
use crate::timestamp::now;

/// The room first, then its members: on the way of every request about a room, so without
/// the round trips of a snapshot. Whoever is let in by the two was allowed at one of these
/// moments.
pub(crate) async fn find_details(
    connection: &mut Connection,
    id: RoomId,
) -> Result<Option<RoomDetails>, DatabaseError> {
    let row = rooms::table
        .left_join(users::table)
        .filter(rooms::id.eq(id.0))
        .select((ROOM_COLUMNS, USER_COLUMNS.nullable()))
        .get_result::<(Room, Option<User>)>(connection)
        .await
        .optional()?;
    let Some((room, owner)) = row else {
        return Ok(None);
    };
    let members = memberships::list_members(connection, id).await?;
    Ok(Some(RoomDetails {
        room,
        owner: owner.map(Arc::new),
        members: members.into_iter().map(Arc::new).collect(),
    }))
}

pub(crate) async fn find_access(
    connection: &mut Connection,
    id: RoomId,
    user: UserId,
) -> Result<Option<RoomAccess>, DatabaseError> {
    let row = rooms::table
        .find(id.0)
        .select((
            ROOM_COLUMNS,
            exists(
                user_rooms::table
                    .filter(user_rooms::room_id.eq(id.0))
                    .filter(user_rooms::user_id.eq(user.0)),
            ),
        ))
        .get_result::<(Room, bool)>(connection)
        .await
        .optional()?;
    Ok(row.map(|(room, is_member)| RoomAccess { room, is_member }))
}

/// Rooms that say they are public and have an owner. Those with a NULL flag or
/// without owner, which old databases may hold, can be used but are not
/// advertised.
pub(crate) async fn list_public(
    connection: &mut Connection,
    page: Page,
) -> Result<Vec<RoomDetails>, DatabaseError> {
    let rooms = paged(
        rooms::table
            .filter(rooms::is_private.eq(false))
            .filter(rooms::owner_id.is_not_null())
            .order(rooms::id)
            .select(ROOM_COLUMNS),
        page,
    )
    .load::<Room>(connection)
    .await?;
    with_people(connection, rooms).await
}

/// Every room in which the user has a membership row.
pub(crate) async fn list_of_user(
    connection: &mut Connection,
    user: UserId,
) -> Result<Vec<RoomDetails>, DatabaseError> {
    // IN rather than a join: a doubled membership row lists the room once.
    let rooms = rooms::table
        .filter(
            rooms::id.nullable().eq_any(
                user_rooms::table
                    .filter(user_rooms::user_id.eq(user.0))
                    .select(user_rooms::room_id),
            ),
        )
        .order(rooms::id)
        .select(ROOM_COLUMNS)
        .load::<Room>(connection)
        .await?;
    with_people(connection, rooms).await
}

/// Adds owners and members in two queries, without the two round trips of a snapshot: the
/// members are those of a moment after that of the rooms. Memberships and users are read
/// apart because the same users are in many rooms.
async fn with_people(
    connection: &mut Connection,
    rooms: Vec<Room>,
) -> Result<Vec<RoomDetails>, DatabaseError> {
    let mut member_ids = memberships::ids_by_room(connection, &rooms).await?;
    let mut user_ids: Vec<i32> = member_ids
        .values()
        .flatten()
        .copied()
        .chain(rooms.iter().filter_map(|room| room.owner_id))
        .map(|id| id.0)
        .collect();
    user_ids.sort_unstable();
    user_ids.dedup();
    let people = user_queries::by_ids(connection, user_ids).await?;
    Ok(rooms
        .into_iter()
        .map(|room| RoomDetails {
            owner: room.owner_id.and_then(|id| people.get(&id).cloned()),
            members: member_ids
                .remove(&room.id)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|id| people.get(&id).cloned())
                .collect(),
            room,
        })
        .collect())
}

/// Needs a transaction: room and membership are created together.
pub(crate) async fn create(
    connection: &mut Connection,
    room: &NewRoom,
) -> Result<RoomDetails, DatabaseError> {
    let owner = user_queries::find(connection, room.owner_id)
        .await?
        .ok_or(DatabaseError::UserNotFound)?;
    let room = diesel::insert_into(rooms::table)
        .values((
            rooms::name.eq(&room.name),
            rooms::description.eq(&room.description),
            rooms::is_private.eq(room.is_private),
            rooms::owner_id.eq(room.owner_id.0),
            rooms::created_at.eq(Some(now())),
        ))
        .returning(ROOM_COLUMNS)
        .get_result::<Room>(connection)
        .await?;
    memberships::insert(connection, room.id, owner.id).await?;
    let owner = Arc::new(owner);
    Ok(RoomDetails {
        room,
        owner: Some(Arc::clone(&owner)),
        members: vec![owner],
    })
}

/// Writes only the columns that change, so that two updates of different
/// columns at once both last.
pub(crate) async fn update(
    connection: &mut Connection,
    id: RoomId,
    changes: RoomChanges,
) -> Result<RoomDetails, DatabaseError> {
    let mut details = find_details(connection, id)
        .await?
        .ok_or(DatabaseError::RoomNotFound)?;
    let Some(changes) = changes.differing_from(&details.room) else {
        return Ok(details);
    };
    details.room = diesel::update(rooms::table.find(id.0))
        .set((
            changes.name.map(|new| rooms::name.eq(new)),
            changes.description.map(|new| rooms::description.eq(new)),
            changes.is_private.map(|new| rooms::is_private.eq(new)),
            rooms::updated_at.eq(Some(now())),
        ))
        .returning(ROOM_COLUMNS)
        .get_result::<Room>(connection)
        .await
        .optional()?
        .ok_or(DatabaseError::RoomNotFound)?;
    Ok(details)
}
