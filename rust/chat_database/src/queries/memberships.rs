//! Memberships (`user_rooms`): joining, leaving, who is in a room.
//!
//! Nothing in the schema keeps a pair unique, so joins of one room are
//! serialised, and every reader copes with doubled rows.

use std::collections::HashMap;

use chat_protocol::ids::{RoomId, UserId};
use diesel::dsl::exists;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl, lock_room};
use crate::backend::among;
use crate::error::DatabaseError;
use crate::models::{Int, Joined, Room, USER_COLUMNS, User};
use crate::schema::{user_rooms, users};

/// Needs a transaction: the lock on the room is what makes two joins at once
/// leave one row.
pub(crate) async fn add(
    connection: &mut Connection,
    room: RoomId,
    user: UserId,
) -> Result<Joined, DatabaseError> {
    if !lock_room(connection, room.0).await? {
        return Err(DatabaseError::RoomNotFound);
    }
    let is_member = diesel::select(exists(
        user_rooms::table
            .filter(user_rooms::room_id.eq(room.0))
            .filter(user_rooms::user_id.eq(user.0)),
    ))
    .get_result::<bool>(connection)
    .await?;
    if is_member {
        return Ok(Joined::Already);
    }
    insert(connection, room, user).await?;
    Ok(Joined::Added)
}

/// The room is known to exist, so a missing reference can only be the user;
/// SQLite does not say which one it was.
pub(crate) async fn insert(
    connection: &mut Connection,
    room: RoomId,
    user: UserId,
) -> Result<(), DatabaseError> {
    let inserted = diesel::insert_into(user_rooms::table)
        .values((
            user_rooms::room_id.eq(room.0),
            user_rooms::user_id.eq(user.0),
        ))
        .execute(connection)
        .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => {
            Err(DatabaseError::UserNotFound)
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes every row of the pair; false if there was none.
pub(crate) async fn remove(
    connection: &mut Connection,
    room: RoomId,
    user: UserId,
) -> Result<bool, DatabaseError> {
    let removed = diesel::delete(
        user_rooms::table
            .filter(user_rooms::room_id.eq(room.0))
            .filter(user_rooms::user_id.eq(user.0)),
    )
    .execute(connection)
    .await?;
    Ok(removed > 0)
}

pub(crate) async fn list_members(
    connection: &mut Connection,
    room: RoomId,
) -> Result<Vec<User>, DatabaseError> {
    // IN rather than a join: a doubled row lists the member once.
    let members = users::table
        .filter(
            users::id.nullable().eq_any(
                user_rooms::table
                    .filter(user_rooms::room_id.eq(room.0))
                    .select(user_rooms::user_id),
            ),
        )
        .order(users::id)
        .select(USER_COLUMNS)
        .load::<User>(connection)
        .await?;
    Ok(members)
}

/// The members of each of these rooms, once and in ascending order.
pub(crate) async fn ids_by_room(
    connection: &mut Connection,
    rooms: &[Room],
) -> Result<HashMap<RoomId, Vec<UserId>>, DatabaseError> {
    let room_ids = rooms.iter().map(|room| room.id.0).collect();
    let rows = user_rooms::table
        .filter(among(user_rooms::room_id, room_ids))
        .filter(user_rooms::user_id.is_not_null())
        .order((user_rooms::room_id, user_rooms::user_id))
        .select((
            user_rooms::room_id.assume_not_null(),
            user_rooms::user_id.assume_not_null(),
        ))
        .load::<(Int, Int)>(connection)
        .await?;
    let mut members: HashMap<RoomId, Vec<UserId>> = HashMap::with_capacity(rooms.len());
    for (Int(room), Int(user)) in rows {
        let members = members.entry(RoomId(room)).or_default();
        if members.last() != Some(&UserId(user)) {
            members.push(UserId(user));
        }
    }
    Ok(members)
}
