//! How far users have read in rooms.

use std::collections::{HashMap, HashSet};

use chat_protocol::ids::{RoomId, UserId};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl,
};

use super::{Connection, RunQueryDsl, rooms as room_queries};
use crate::backend::{among, move_markers};
use crate::error::DatabaseError;
use crate::models::{OwnRoom, ReadClaims, ReadOutcome, Reading};
use crate::schema::{read_markers, room_sequences};

/// How far the user has read in each of these rooms. Rooms without messages are
/// left out.
pub(crate) async fn list(
    connection: &mut Connection,
    user: UserId,
    rooms: Vec<i32>,
) -> Result<HashMap<RoomId, Reading>, DatabaseError> {
    let markers = read_markers::room_id
        .eq(room_sequences::room_id)
        .and(read_markers::user_id.eq(user.0));
    let rows = room_sequences::table
        .left_join(read_markers::table.on(markers))
        .filter(among(room_sequences::room_id, rooms))
        .select((
            room_sequences::room_id,
            room_sequences::last_seq,
            read_markers::seq.nullable(),
        ))
        .load::<(i32, i64, Option<i64>)>(connection)
        .await?;
    let readings = rows.into_iter().map(|(room, last_seq, marker)| {
        let last_read_seq = marker.unwrap_or(0);
        let reading = Reading {
            last_seq,
            last_read_seq,
        };
        (RoomId(room), reading)
    });
    Ok(readings.collect())
}

/// The rooms of a user, with how far the user has read if that is known here.
pub(crate) async fn list_rooms(
    connection: &mut Connection,
    user: UserId,
    is_known: bool,
) -> Result<Vec<OwnRoom>, DatabaseError> {
    let rooms = room_queries::list_of_user(connection, user).await?;
    let mut readings = HashMap::new();
    if is_known && !rooms.is_empty() {
        let ids = rooms.iter().map(|details| details.room.id.0).collect();
        readings = list(connection, user, ids).await?;
    }
    let own = rooms.into_iter().map(|details| {
        let reading = readings.remove(&details.room.id).unwrap_or_default();
        OwnRoom {
            details,
            reading: is_known.then_some(reading),
        }
    });
    Ok(own.collect())
}

/// Moves the marker of each user and room, which must be there once each, to the
/// highest claim that the room has, unless it is there or further.
pub(crate) async fn advance(
    connection: &mut Connection,
    claims: &[ReadClaims],
) -> Result<Vec<ReadOutcome>, DatabaseError> {
    let rooms: HashSet<i32> = claims.iter().map(|claim| claim.room.0).collect();
    let last_seqs: HashMap<i32, i64> = room_sequences::table
        .filter(among(
            room_sequences::room_id,
            rooms.into_iter().collect::<Vec<i32>>(),
        ))
        .select((room_sequences::room_id, room_sequences::last_seq))
        .load::<(i32, i64)>(connection)
        .await?
        .into_iter()
        .collect();
    let last_seq = |claims: &ReadClaims| last_seqs.get(&claims.room.0).copied().unwrap_or(0);
    let highest = |claims: &ReadClaims| {
        let seqs = claims.seqs.iter().copied();
        seqs.filter(|seq| (1..=last_seq(claims)).contains(seq))
            .max()
    };
    let markers: Vec<_> = claims
        .iter()
        .filter_map(|claims| Some((claims.user.0, claims.room.0, highest(claims)?)))
        .collect();
    let mut moved = HashSet::new();
    if !markers.is_empty() {
        let rows = move_markers(&markers)
            .load::<(i32, i32)>(connection)
            .await?;
        moved.extend(rows);
    }
    let outcomes = claims.iter().map(|claims| ReadOutcome {
        last_seq: last_seq(claims),
        moved_to: highest(claims).filter(|_| moved.contains(&(claims.user.0, claims.room.0))),
    });
    Ok(outcomes.collect())
}
