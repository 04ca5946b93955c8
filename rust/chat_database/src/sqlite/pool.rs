//! The connections to an SQLite file.
//!
//! One connection writes, so that writers queue here, fairly, instead of
//! meeting SQLite's busy error; the others only read, which WAL allows at any
//! time. All work happens in closures, on the blocking pool or on a thread that
//! may block itself: no connection is held across an await, and dropping the
//! future does not interrupt a closure.
//!
//! "Stored" means on the disk: `synchronous = FULL` flushes the WAL at each
//! commit, so a message whose sender was told "stored" survives a power cut.
//! The flush is paid once per group commit, not once per message.

use std::cell::Cell;
use std::fmt;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::{Connection, ConnectionError, SqliteConnection};
use tokio::sync::Semaphore;

use crate::error::DatabaseError;
use crate::url::SqliteUrl;

/// `busy_timeout` covers what the pool cannot: another program (a backup, the
/// sqlite3 shell) that has the file locked.
const SETUP: &str = "pragma busy_timeout = 5000;
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma foreign_keys = on;";
const SETUP_READER: &str = "pragma query_only = on;";

thread_local! {
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Declares that the current thread may block, from now on: queries on SQLite
/// that are polled on it run on it, without a hop to another thread.
pub fn allow_blocking_queries() {
    MAY_BLOCK.set(true);
}

/// Which connection a closure needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqliteAccess {
    /// One of several; writing through it fails.
    Read,
    /// The only one that can write; exclusive within this process.
    Write,
}

/// The pool; clones share the connections.
#[derive(Clone)]
pub(crate) struct SqlitePool {
    path: Arc<Path>,
    readers: Lane,
    writer: Lane,
}

/// Connections of one kind. There are as many permits as connections, and an
/// idle connection is in `idle`; one that had to be thrown away is simply
/// missing there and opened again by whoever next holds a permit without
/// finding one.
#[derive(Clone)]
struct Lane {
    size: u32,
    permits: Arc<Semaphore>,
    /// A plain lock, held for a push or a pop.
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
}

impl SqlitePool {
    /// Opens the file, and creates it first if it is not there: private to
    /// the user, as is the folder if that is missing too.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if the file cannot be opened or is no
    /// SQLite database.
    pub(crate) async fn open(url: &SqliteUrl, readers: u32) -> Result<Self, DatabaseError> {
        // Absolute from here on: the process may change its folder later, and
        // SQLite must never read the path as a `file:` URI.
        let path = std::path::absolute(url.path()).map_err(DatabaseError::unavailable)?;
        let pool = Self {
            path: path.clone().into(),
            readers: Lane::new(readers.max(1)),
            writer: Lane::new(1),
        };
        // The writer's first connection switches the file to WAL.
        let connection = blocking(move || {
            create_private(&path).map_err(DatabaseError::unavailable)?;
            open(&path, SqliteAccess::Write)
        })
        .await?;
        pool.writer.put_back(connection);
        Ok(pool)
    }

    /// Runs `work` on a connection when one is free, on a thread that may block.
    ///
    /// # Errors
    /// [`DatabaseError::Internal`] if `work` panics; the connection is thrown
    /// away then. [`DatabaseError::Unavailable`] if the file can no longer be
    /// opened, or after [`close`](Self::close).
    ///
    /// # Cancel safety
    /// Dropped before `work` has begun, nothing happens; afterwards `work`
    /// runs to its end and only the result is lost.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        access: SqliteAccess,
        work: impl FnOnce(&mut SqliteConnection) -> R + Send + 'static,
    ) -> Result<R, DatabaseError> {
        let lane = match access {
            SqliteAccess::Read => self.readers.clone(),
            SqliteAccess::Write => self.writer.clone(),
        };
        let path = Arc::clone(&self.path);
        let permit = Arc::clone(&lane.permits)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        blocking(move || {
            let mut connection = match lane.take_idle() {
                Some(connection) => connection,
                None => open(&path, access)?,
            };
            // What the closure has half done to the connection cannot be seen
            // by anybody: a connection it panicked on is dropped.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut connection)));
            if outcome.is_ok()
                && !AnsiTransactionManager::is_broken_transaction_manager(&mut connection)
            {
                lane.put_back(connection);
            } else {
                drop(connection);
            }
            drop(permit);
            outcome.map_err(|_| DatabaseError::internal("a database operation panicked"))
        })
        .await
    }

    /// Waits for running closures and closes all connections; SQLite then
    /// folds the WAL into the file.
    pub(crate) async fn close(&self) {
        for lane in [&self.readers, &self.writer] {
            let permits = lane.permits.acquire_many(lane.size).await;
            lane.permits.close();
            drop(permits);
            let idle = std::mem::take(&mut *lane.lock_idle());
            // Closing the last connection writes to the disk.
            let _ = tokio::task::spawn_blocking(move || drop(idle)).await;
        }
    }
}

impl fmt::Debug for SqlitePool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SqlitePool")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Lane {
    fn new(size: u32) -> Self {
        Self {
            size,
            permits: Arc::new(Semaphore::new(size as usize)),
            idle: Arc::default(),
        }
    }

    fn take_idle(&self) -> Option<SqliteConnection> {
        self.lock_idle().pop()
    }

    fn put_back(&self, connection: SqliteConnection) {
        self.lock_idle().push(connection);
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        // A push or a pop leaves nothing half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, DatabaseError> + Send + 'static,
) -> Result<R, DatabaseError> {
    if MAY_BLOCK.get() {
        return work();
    }
    // The task cannot panic (`run` catches); it is only cancelled when the
    // runtime ends.
    tokio::task::spawn_blocking(work)
        .await
        .map_err(DatabaseError::unavailable)?
}

fn open(path: &Path, access: SqliteAccess) -> Result<SqliteConnection, DatabaseError> {
    let text = path.to_str().ok_or_else(|| DatabaseError::InvalidUrl {
        reason: "the path of the SQLite file is not UTF-8".to_owned(),
    })?;
    let mut connection = SqliteConnection::establish(text).map_err(|error| match error {
        ConnectionError::CouldntSetupConfiguration(error) => error.into(),
        error => DatabaseError::unavailable(error),
    })?;
    let set_up = connection.batch_execute(SETUP).and_then(|()| match access {
        SqliteAccess::Read => connection.batch_execute(SETUP_READER),
        SqliteAccess::Write => Ok(()),
    });
    set_up.map_err(DatabaseError::unavailable)?;
    Ok(connection)
}

/// Creates what is missing, before SQLite would do so with the wider default
/// rights. The WAL and the shared memory file take the rights of this file.
fn create_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn closed() -> DatabaseError {
    DatabaseError::unavailable("the database was closed")
}

#[cfg(test)]
mod tests;
