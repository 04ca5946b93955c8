//! Who may be in which room, for many at once: people at the door, and people
//! who are connected already.

use std::collections::{HashMap, HashSet};

use chat_protocol::ids::{RoomId, UserId};
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::backend::{among, entries};
use crate::error::DatabaseError;
use crate::models::{Int, Room, RoomAccess, User};
use crate::schema::{rooms, user_rooms, users};

/// For each name and room: the user of that name, and the room with the user's
/// place in it. Memberships are only looked at where the room is private.
pub(crate) async fn find_entries(
    connection: &mut Connection,
    wanted: &[(String, RoomId)],
) -> Result<Vec<(Option<User>, Option<RoomAccess>)>, DatabaseError> {
    let pairs = wanted.iter().map(|(name, room)| (name.clone(), room.0));
    let rows = entries(pairs)
        .load::<(i64, Option<User>, Option<Room>, bool)>(connection)
        .await?;
    let mut found = vec![(None, None); wanted.len()];
    for (place, user, room, is_member) in rows {
        let access = room.map(|room| RoomAccess { room, is_member });
        if let Some(entry) = usize::try_from(place)
            .ok()
            .and_then(|place| found.get_mut(place))
        {
            *entry = (user, access);
        }
    }
    Ok(found)
}

/// Of these pairs, those whose user is gone or not active any more, or whose room is gone,
/// or private without the user being its owner or a member. Needs a snapshot.
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
        .load::<Int>(connection)
        .await?
        .into_iter()
        .map(|id| id.0)
        .collect();
    let found: HashMap<i32, (bool, Option<i32>)> = rooms::table
        .filter(among(rooms::id, room_ids))
        .select((rooms::id, rooms::is_private, rooms::owner_id))
        .load::<(Int, Option<bool>, Option<Int>)>(connection)
        .await?
        .into_iter()
        .map(|(id, is_private, owner)| {
            let owner = owner.map(|id| id.0);
            (id.0, (is_private.unwrap_or(false), owner))
        })
        .collect();
    let private = found.iter().filter(|(_, (is_private, _))| *is_private);
    let private = private.map(|(room, _)| *room).collect();
    let members = find_members(connection, private, user_ids).await?;
    let may_stay = |user: i32, room: i32| {
        active.contains(&user)
            && found.get(&room).is_some_and(|(is_private, owner)| {
                !is_private || *owner == Some(user) || members.contains(&(user, room))
            })
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
        .load::<(Int, Int)>(connection)
        .await?;
    let members = rows.into_iter();
    Ok(members.map(|(user, room)| (user.0, room.0)).collect())
}

fn distinct(ids: impl Iterator<Item = i32>) -> Vec<i32> {
    ids.collect::<HashSet<_>>().into_iter().collect()
}
