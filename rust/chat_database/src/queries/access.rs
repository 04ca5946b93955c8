//! Whether people who are connected may still be where they are.

use std::collections::{HashMap, HashSet};

use chat_protocol::ids::{RoomId, UserId};
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::backend::among;
use crate::error::DatabaseError;
use crate::schema::{rooms, user_rooms, users};

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
    let members: HashSet<(i32, i32)> = user_rooms::table
        .filter(among(
            user_rooms::room_id,
            private.keys().copied().collect(),
        ))
        .filter(among(user_rooms::user_id, user_ids))
        .select((
            user_rooms::user_id.assume_not_null(),
            user_rooms::room_id.assume_not_null(),
        ))
        .load::<(i32, i32)>(connection)
        .await?
        .into_iter()
        .collect();
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

fn distinct(ids: impl Iterator<Item = i32>) -> Vec<i32> {
    ids.collect::<HashSet<_>>().into_iter().collect()
}
