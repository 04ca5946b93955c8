//! How far rooms have come.

use std::collections::HashMap;

use chat_protocol::Position;
use chat_protocol::ids::{Change, RoomId, Seq};
use diesel::QueryDsl;

use super::{Connection, RunQueryDsl};
use crate::backend::among;
use crate::error::DatabaseError;
use crate::schema::{room_changes, room_sequences};

/// The last message of each of these rooms and, if there are changes in this database,
/// the last change. Rooms without messages are left out.
pub(crate) async fn newest(
    connection: &mut Connection,
    rooms: Vec<i32>,
    has_changes: bool,
) -> Result<HashMap<RoomId, Position>, DatabaseError> {
    let mut changes = HashMap::new();
    if has_changes {
        changes = room_changes::table
            .filter(among(room_changes::room_id, rooms.clone()))
            .select((room_changes::room_id, room_changes::last_change))
            .load::<(i32, i64)>(connection)
            .await?
            .into_iter()
            .collect();
    }
    let messages = room_sequences::table
        .filter(among(room_sequences::room_id, rooms))
        .select((room_sequences::room_id, room_sequences::last_seq))
        .load::<(i32, i64)>(connection)
        .await?;
    let places = messages.into_iter().map(|(room, seq)| {
        let change = changes.get(&room).copied().unwrap_or(0);
        let place = Position {
            seq: Seq(seq),
            change: has_changes.then_some(Change(change)),
        };
        (RoomId(room), place)
    });
    Ok(places.collect())
}
