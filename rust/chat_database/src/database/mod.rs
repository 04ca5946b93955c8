//! The facade: [`Database`], one method per use case.
//!
//! Decides what surrounds the query functions: which back end, which
//! connection, and whether a transaction. The methods are in one file per
//! aggregate; this one owns opening, closing and the dispatch.

mod changes;
mod compat;
mod files;
mod messages;
mod places;
mod reading;
mod rooms;
mod uploads;
mod users;

use std::sync::Arc;

pub use self::compat::CompatStore;
use crate::backend;
use crate::error::DatabaseError;
use crate::migrations::{self, FileLayout, MigrationReport};
use crate::postgres::{Connector, Lane, PostgresPool};
use crate::sqlite::SqlitePool;
use crate::url::{DatabaseUrl, SqliteUrl};
use crate::{postgres, sqlite};

/// Which database, and how many connections to it.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    /// Connections for queries, at least one. On top of them come one for
    /// writing messages and, with PostgreSQL, one for the instance lock. A server that
    /// grants fewer is got along with.
    pub pool_size: u32,
}

/// The open database; clones share the connections.
#[derive(Clone, Debug)]
pub struct Database {
    inner: Arc<Inner>,
}

/// What the queries about messages and files have to know about their tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileTables {
    pub(crate) layout: FileLayout,
    /// See [`Additions`](crate::Additions).
    pub(crate) has_additions: bool,
    pub(crate) has_changes: bool,
}

#[derive(Debug)]
struct Inner {
    pools: Pools,
    migration: MigrationReport,
}

#[derive(Debug)]
pub(crate) enum Pools {
    Postgres(PostgresPool),
    Sqlite { url: SqliteUrl, pool: SqlitePool },
}

/// Runs one query function on the back end in use.
///
/// `read` and `write` are plain connections (in SQLite only one of them can
/// write). `snapshot` is for several reads that have to agree with each other: all see
/// the database as it was at the first of them. `transaction` is all or nothing: for
/// SQLite an immediate one, which excludes other writers from its beginning.
macro_rules! query {
    ($database:expr, $access:ident $table:ident::$function:ident($($argument:expr),* $(,)?)) => {
        match &$database.inner.pools {
            $crate::database::Pools::Postgres(pool) => {
                let mut connection = pool.get($crate::postgres::Lane::Queries).await?;
                let mut is_second = false;
                loop {
                    let result = $crate::database::query!(
                        @postgres $access connection, $table $function $($argument),*
                    );
                    if !is_second && connection.is_to_blame_for(&result) {
                        connection = connection.renew().await?;
                        is_second = true;
                        continue;
                    }
                    connection.finish(&result, is_second);
                    break result;
                }
            }
            $crate::database::Pools::Sqlite { pool, .. } => {
                $crate::database::query!(@sqlite $access pool, $table $function $($argument),*)
            }
        }
    };
    (@postgres transaction $connection:ident, $table:ident $function:ident $($argument:expr),*) => {
        diesel_async::AsyncConnection::transaction(&mut *$connection, async |connection| {
            $crate::backend::postgres::queries::$table::$function(connection, $($argument),*).await
        })
        .await
    };
    (@postgres snapshot $connection:ident, $table:ident $function:ident $($argument:expr),*) => {
        $connection
            .build_transaction()
            .repeatable_read()
            .read_only()
            .run(async |connection| {
                $crate::backend::postgres::queries::$table::$function(connection, $($argument),*).await
            })
            .await
    };
    (@postgres $access:ident $connection:ident, $table:ident $function:ident $($argument:expr),*) => {
        $crate::backend::postgres::queries::$table::$function(&mut $connection, $($argument),*).await
    };
    (@sqlite transaction $pool:ident, $table:ident $function:ident $($argument:expr),*) => {
        $pool
            .run($crate::sqlite::SqliteAccess::Write, move |connection| {
                connection.immediate_transaction(|connection| {
                    $crate::backend::sqlite::run_to_end(
                        $crate::backend::sqlite::queries::$table::$function(connection, $($argument),*),
                    )
                })
            })
            .await?
    };
    (@sqlite snapshot $pool:ident, $table:ident $function:ident $($argument:expr),*) => {
        $pool
            .run($crate::sqlite::SqliteAccess::Read, move |connection| {
                diesel::Connection::transaction(connection, |connection| {
                    $crate::backend::sqlite::run_to_end(
                        $crate::backend::sqlite::queries::$table::$function(connection, $($argument),*),
                    )
                })
            })
            .await?
    };
    (@sqlite read $pool:ident, $table:ident $function:ident $($argument:expr),*) => {
        $crate::database::query!(@sqlite Read, $pool, $table $function $($argument),*)
    };
    (@sqlite write $pool:ident, $table:ident $function:ident $($argument:expr),*) => {
        $crate::database::query!(@sqlite Write, $pool, $table $function $($argument),*)
    };
    (@sqlite $access:ident, $pool:ident, $table:ident $function:ident $($argument:expr),*) => {
        $pool
            .run($crate::sqlite::SqliteAccess::$access, move |connection| {
                $crate::backend::sqlite::run_to_end(
                    $crate::backend::sqlite::queries::$table::$function(connection, $($argument),*),
                )
            })
            .await?
    };
}
pub(crate) use query;

impl Database {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] and [`DatabaseError::LoginFailed`] if it
    /// cannot be reached, [`DatabaseError::TransactionPooler`] if something
    /// that cannot be worked with is in between, [`DatabaseError::SchemaMissing`]
    /// if tables are missing and may not be created.
    pub async fn connect(config: DatabaseConfig) -> Result<Self, DatabaseError> {
        let (pools, migration) = match config.url {
            DatabaseUrl::Postgres(url) => {
                let connector = Connector::new(&url)?;
                postgres::refuse_transaction_pooler(&connector).await?;
                let migration = migrations::migrate_postgres(&connector).await?;
                let size = usize::try_from(config.pool_size).unwrap_or(usize::MAX);
                (
                    Pools::Postgres(PostgresPool::new(connector, size)),
                    migration,
                )
            }
            DatabaseUrl::Sqlite(url) => {
                let pool = SqlitePool::open(&url, config.pool_size).await?;
                let migration = migrations::migrate_sqlite(&pool).await?;
                (Pools::Sqlite { url, pool }, migration)
            }
        };
        Ok(Self {
            inner: Arc::new(Inner { pools, migration }),
        })
    }

    /// What opening it did to the schema.
    pub fn migration(&self) -> &MigrationReport {
        &self.inner.migration
    }

    /// Whether every message has a number in its room, and a `client_id` of a sender
    /// is stored once; see [`Additions`](crate::Additions).
    pub fn numbers_messages(&self) -> bool {
        self.inner.migration.additions.order
    }

    /// Whether messages can be edited and deleted; see [`Additions`](crate::Additions).
    pub fn changes_messages(&self) -> bool {
        self.inner.migration.additions.changes
    }

    /// Whether it is SQLite, whose queries run on threads of this process.
    pub fn is_embedded(&self) -> bool {
        matches!(self.inner.pools, Pools::Sqlite { .. })
    }

    /// Asks the database for an answer, any answer.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if there is none.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        match &self.inner.pools {
            Pools::Postgres(pool) => {
                let mut connection = pool.get(Lane::Queries).await?;
                let result = backend::postgres::queries::ping(&mut connection).await;
                connection.finish(&result, false);
                result
            }
            Pools::Sqlite { pool, .. } => {
                pool.run(sqlite::SqliteAccess::Read, |connection| {
                    backend::sqlite::run_to_end(backend::sqlite::queries::ping(connection))
                })
                .await?
            }
        }
    }

    /// Closes the connections; every later call is [`DatabaseError::Unavailable`].
    pub async fn close(&self) {
        match &self.inner.pools {
            Pools::Postgres(pool) => pool.close(),
            Pools::Sqlite { pool, .. } => pool.close().await,
        }
    }

    pub(crate) fn pools(&self) -> &Pools {
        &self.inner.pools
    }

    fn file_tables(&self) -> FileTables {
        let migration = &self.inner.migration;
        FileTables {
            layout: migration.file_layout,
            has_additions: migration.additions.uploads,
            has_changes: migration.additions.changes,
        }
    }
}
