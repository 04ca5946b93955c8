//! The queries over diesel's plain SQLite connection.
//!
//! SQLite answers in microseconds, so a hop to a blocking thread for every
//! query would cost more than the queries. Instead one use case runs as a whole
//! in one closure of the pool: the query source is the same `async fn`s, but
//! every query here has done its work when it returns its (ready) future, and
//! so the `async fn` runs through at the first poll, see [`run_to_end`].

use std::future::{Future, Ready, ready};

use diesel::query_dsl::LoadQuery;
use diesel::query_dsl::methods::ExecuteDsl;
pub(crate) use diesel::sqlite::SqliteConnection as Connection;
use diesel::{OptionalExtension, QueryDsl, QueryResult};
use futures_util::FutureExt;

use crate::error::DatabaseError;
use crate::migrations::FileLayout;
use crate::schema::compat::compat_rooms;
use crate::schema::{file_uploads, file_uploads_b, rooms};

#[expect(
    clippy::duplicate_mod,
    reason = "one query source, compiled once per back end"
)]
#[path = "../queries/mod.rs"]
pub(crate) mod queries;

/// The methods of `diesel_async::RunQueryDsl`, answered at once.
pub(crate) trait RunQueryDsl: Sized {
    fn execute(self, connection: &mut Connection) -> Ready<QueryResult<usize>>
    where
        Self: ExecuteDsl<Connection>,
    {
        ready(ExecuteDsl::execute(self, connection))
    }

    fn load<'query, U>(self, connection: &mut Connection) -> Ready<QueryResult<Vec<U>>>
    where
        Self: LoadQuery<'query, Connection, U>,
    {
        ready(diesel::RunQueryDsl::load(self, connection))
    }

    fn get_result<'query, U>(self, connection: &mut Connection) -> Ready<QueryResult<U>>
    where
        Self: LoadQuery<'query, Connection, U>,
    {
        ready(diesel::RunQueryDsl::get_result(self, connection))
    }
}

impl<T> RunQueryDsl for T {}

/// Runs a query function, none of whose futures is ever pending.
pub(crate) fn run_to_end<T>(
    use_case: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    use_case
        .now_or_never()
        .unwrap_or_else(|| Err(DatabaseError::internal("an SQLite query was not ready")))
}

/// Whether the room exists. The immediate transaction, which every writing use
/// case of more than one statement runs in, already keeps other writers out.
fn lock_room(connection: &mut Connection, room: i32) -> Ready<QueryResult<bool>> {
    let found = diesel::RunQueryDsl::get_result::<i32>(
        rooms::table.find(room).select(rooms::id),
        connection,
    );
    ready(found.optional().map(|found| found.is_some()))
}

/// Whether the file exists; other writers are kept out as in [`lock_room`].
fn lock_file(
    connection: &mut Connection,
    layout: FileLayout,
    file: i32,
) -> Ready<QueryResult<bool>> {
    let found = match layout {
        FileLayout::A => diesel::RunQueryDsl::get_result::<i32>(
            file_uploads::table.find(file).select(file_uploads::id),
            connection,
        ),
        FileLayout::B => diesel::RunQueryDsl::get_result::<i32>(
            file_uploads_b::table.find(file).select(file_uploads_b::id),
            connection,
        ),
    };
    ready(found.optional().map(|found| found.is_some()))
}

/// As [`lock_room`], for a room of a sibling system.
fn lock_compat_room(connection: &mut Connection, room: i64) -> Ready<QueryResult<bool>> {
    let found = diesel::RunQueryDsl::get_result::<i64>(
        compat_rooms::table.find(room).select(compat_rooms::id),
        connection,
    );
    ready(found.optional().map(|found| found.is_some()))
}

#[cfg(test)]
mod tests;
