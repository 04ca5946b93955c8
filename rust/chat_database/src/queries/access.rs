//! Who may be in which room, for many at once: people at the door, and people
//! who are connected already.

use std::collections::{HashMap, HashSet};

use chat_protocol::ids::{RoomId, UserId};
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::backend::among;
use crate::error::DatabaseError;
use crate::models::{ROOM_COLUMNS, Room, RoomAccess, USER_COLUMNS, User};
use crate::schema::{rooms, user_rooms, users};

/// For each name and room: the user of that name, and the room with the user's
/// place in it. Memberships are only looked at where the room is private.
pub(crate) async fn find_entries(
    connection: &mut Connection,
    wanted: &[(String, RoomId)],
) -> Result<Vec<(Option<User>, Option<RoomAccess>)>, DatabaseError> {
    let names: HashSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let people: HashMap<String, User> = users::table
        .filter(among(users::username, names))
        .select(USER_COLUMNS)
        .load::<User>(connection)
        .await?
        .into_iter()
        .map(|user| (user.username.clone(), user))
        .collect();
    let found: HashMap<RoomId, Room> = rooms::table
        .filter(among(
            rooms::id,
            distinct(wanted.iter().map(|(_, room)| room.0)),
        ))
        .select(ROOM_COLUMNS)
        .load::<Room>(connection)
        .await?
        .into_iter()
        .map(|room| (room.id, room))
        .collect();
    let private = found.values().filter(|room| room.is_private);
    let members = find_members(
        connection,
        private.map(|room| room.id.0).collect(),
        people.values().map(|user| user.id.0).collect(),
    )
    .await?;
    Ok(wanted
        .iter()
        .map(|(name, room)| {
            let user = people.get(name).cloned();
            let access = found.get(room).map(|room| RoomAccess {
                room: room.clone(),
                is_member: user
                    .as_ref()
                    .is_some_and(|user| members.contains(&(user.id.0, room.id.0))),
            });
            (user, access)
        })
        .collect())
}

/// Of these pairs, those whose user is not active any more or whose room is
/// private without the user being its owner or a member.
pub(crate) async fn find_lost(
    connection: &mut Connection,
    pairs: &[(UserId, RoomId)],
) -> Result<Vec<(UserId, RoomId)>, DatabaseError> {
    let user_ids = distinct(pairs.iter().map(|(user, _)| user.0));
    let room_ids = distinct(pairs.iter().map(|(_, room)| room.0));
    let active: HashSet<i32> = users::table
        .filter(among(users::id, user_ids.clone()))
        .filter(users::is_active.eq(true))
        .select(users::id)
        .load::<i32>(connection)
        .await?
        .into_iter()
        .collect();
    let private: HashMap<i32, Option<i32>> = rooms::table
        .filter(among(rooms::id, room_ids))
        .filter(rooms::is_private.eq(true))
        .select((rooms::id, rooms::owner_id))
        .load::<(i32, Option<i32>)>(connection)
        .await?
        .into_iter()
        .collect();
    let members = find_members(connection, private.keys().copied().collect(), user_ids).await?;
    let may_stay = |user: i32, room: i32| {
        active.contains(&user)
            && private
                .get(&room)
                .is_none_or(|owner| *owner == Some(user) || members.contains(&(user, room)))
    };
    let lost = pairs.iter().copied();
    Ok(lost
        .filter(|(user, room)| !may_stay(user.0, room.0))
        .collect())
}

/// The memberships, as user and room, of these users in these rooms.
async fn find_members(
    connection: &mut Connection,
    room_ids: Vec<i32>,
    user_ids: Vec<i32>,
) -> Result<HashSet<(i32, i32)>, DatabaseError> {
    if room_ids.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = user_rooms::table
        .filter(among(user_rooms::room_id, room_ids))
        .filter(among(user_rooms::user_id, user_ids))
        .select((
            user_rooms::user_id.assume_not_null(),
            user_rooms::room_id.assume_not_null(),
        ))
        .load::<(i32, i32)>(connection)
        .await?;
    Ok(rows.into_iter().collect())
}

fn distinct(ids: impl Iterator<Item = i32>) -> Vec<i32> {
    ids.collect::<HashSet<_>>().into_iter().collect()
}
