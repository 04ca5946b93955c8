//! SQLite: a file beside the server, one writer, several readers.
//!
//! `pool` opens the file and runs closures on its connections, `instance_lock`
//! keeps a second server process away. Queries and migrations are elsewhere.

mod instance_lock;
mod pool;

pub(crate) use self::instance_lock::acquire_instance_lock;
pub use self::pool::allow_blocking_queries;
pub(crate) use self::pool::{SqliteAccess, SqlitePool};
