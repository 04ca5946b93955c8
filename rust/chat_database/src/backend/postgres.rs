//! The queries over diesel-async's PostgreSQL connection.

use diesel::{OptionalExtension, QueryDsl, QueryResult};
pub(crate) use diesel_async::AsyncPgConnection as Connection;
pub(crate) use diesel_async::RunQueryDsl;

use crate::migrations::FileLayout;
use crate::models::Int;
use crate::schema::compat::compat_rooms;
use crate::schema::{file_uploads, file_uploads_b, rooms};

#[expect(
    clippy::duplicate_mod,
    reason = "one query source, compiled once per back end"
)]
#[path = "../queries/mod.rs"]
pub(crate) mod queries;

/// Locks the room's row until the end of the transaction; false if there is
/// no such room.
///
/// `NO KEY` lets messages be inserted meanwhile: their foreign key only needs
/// the room's id to stay.
async fn lock_room(connection: &mut Connection, room: i32) -> QueryResult<bool> {
    rooms::table
        .find(room)
        .select(rooms::id)
        .for_no_key_update()
        .get_result::<Int>(connection)
        .await
        .optional()
        .map(|found| found.is_some())
}

/// Locks a file's row until the end of the transaction; false if there is no such file.
///
/// A message that is being stored with this file has finished before, or finds
/// out afterwards that the file is gone.
async fn lock_file(
    connection: &mut Connection,
    layout: FileLayout,
    file: i32,
) -> QueryResult<bool> {
    let locked = match layout {
        FileLayout::A => {
            file_uploads::table
                .find(file)
                .select(file_uploads::id)
                .for_update()
                .get_result::<Int>(connection)
                .await
        }
        FileLayout::B => {
            file_uploads_b::table
                .find(file)
                .select(file_uploads_b::id)
                .for_update()
                .get_result::<Int>(connection)
                .await
        }
    };
    locked.optional().map(|found| found.is_some())
}

/// Locks a room of a sibling system until the end of the transaction, for whoever
/// may delete it; false if there is no such room.
async fn lock_compat_room(connection: &mut Connection, room: i64) -> QueryResult<bool> {
    compat_rooms::table
        .find(room)
        .select(compat_rooms::id)
        .for_update()
        .get_result::<i64>(connection)
        .await
        .optional()
        .map(|found| found.is_some())
}
