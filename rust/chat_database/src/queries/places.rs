//! How far rooms have come.

use std::collections::HashMap;

use chat_protocol::Position;
use chat_protocol::ids::{Change, RoomId, Seq};
use diesel::{ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::backend::among;
use crate::error::DatabaseError;
use crate::schema::{room_changes, room_sequences};

/// The last message of each of these rooms and, if there are changes in this database,
/// the last change, both of the same moment. Rooms without messages are left out.
pub(crate) async fn newest(
    connection: &mut Connection,
    rooms: Vec<i32>,
    has_changes: bool,
) -> Result<HashMap<RoomId, Position>, DatabaseError> {
    if !has_changes {
        let messages = room_sequences::table
            .filter(among(room_sequences::room_id, rooms))
            .select((room_sequences::room_id, room_sequences::last_seq))
            .load::<(i32, i64)>(connection)
            .await?;
        let positions = messages.into_iter().map(|(room, seq)| {
            let seq = Seq(seq);
            (RoomId(room), Position { seq, change: None })
        });
        return Ok(positions.collect());
    }
    let changes = room_changes::table.on(room_changes::room_id.eq(room_sequences::room_id));
    let rows = room_sequences::table
        .left_join(changes)
        .filter(among(room_sequences::room_id, rooms))
        .select((
            room_sequences::room_id,
            room_sequences::last_seq,
            room_changes::last_change.nullable(),
        ))
        .load::<(i32, i64, Option<i64>)>(connection)
        .await?;
    let positions = rows.into_iter().map(|(room, seq, change)| {
        let position = Position {
            seq: Seq(seq),
            change: Some(Change(change.unwrap_or(0))),
        };
        (RoomId(room), position)
    });
    Ok(positions.collect())
}
