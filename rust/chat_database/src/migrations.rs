//! Brings a database to the schema this crate works on.
//!
//! The migrations are embedded, versioned and additive (see
//! `migrations/README.md`). They run in one transaction under a lock, so that
//! two processes may start at once and a failure leaves nothing half done. A
//! role that may not create anything is fine as long as all that is needed is
//! there. Afterwards the schema is always checked against what the queries
//! use, because `create table if not exists` accepts any table of that name, and
//! old messages get their numbers (`numbering`).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::query_builder::SqlQuery;
use diesel::query_dsl::methods::LoadQuery;
use diesel::sql_types::{Bool, Text};
use diesel::{SqliteConnection, sql_query};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::DatabaseError;
use crate::postgres::Connector;
use crate::sqlite::{SqliteAccess, SqlitePool};

mod numbering;
mod schema_check;

use self::numbering::UnnumberedRoom;
pub use self::schema_check::{Additions, FileLayout};
use self::schema_check::{Columns, TABLES};

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The advisory lock that migrating processes take in turn; it spells
/// "izpomigr".
const POSTGRES_LOCK: i64 = i64::from_be_bytes(*b"izpomigr");

/// diesel runs migrations through its synchronous interface.
type SyncPgConnection = AsyncConnectionWrapper<AsyncPgConnection>;

/// What a migration run did and found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationReport {
    /// The tables that were not there before, in the order of the schema.
    pub created_tables: Vec<&'static str>,
    /// Which of the two forms `file_uploads` has.
    pub file_layout: FileLayout,
    pub additions: Additions,
    /// Tables and columns of the sibling systems that are not there and could
    /// not be created; nothing else needs them.
    pub missing_compat: Vec<String>,
}

/// Migrates a PostgreSQL database.
///
/// # Errors
/// [`DatabaseError::SchemaMissing`] if something is missing and may not be
/// created; otherwise as [`Connector::open_patiently`].
pub(crate) async fn migrate_postgres(
    connector: &Connector,
) -> Result<MigrationReport, DatabaseError> {
    let connection = connector.open_patiently().await?;
    let work = move || {
        let mut connection = SyncPgConnection::from(connection);
        migrate_if_pending(&mut connection)
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(DatabaseError::internal)?
}

/// Migrates an SQLite database.
///
/// # Errors
/// As [`migrate_postgres`] and [`SqlitePool::run`].
pub(crate) async fn migrate_sqlite(pool: &SqlitePool) -> Result<MigrationReport, DatabaseError> {
    pool.run(SqliteAccess::Write, migrate_if_pending).await?
}

/// What the two back ends do differently.
trait Migrate: Connection + MigrationHarness<Self::Backend> {
    fn embedded() -> EmbeddedMigrations;

    /// A transaction that no other migrating process is in.
    fn exclusively<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError>;

    /// Whether this role may create and change what a migration touches.
    fn may_migrate(&mut self) -> QueryResult<bool>;

    /// The columns of our tables, as far as they exist.
    fn columns(&mut self) -> QueryResult<Columns>;

    /// Whether messages are numbered and this role may use the numbers; for when
    /// the tables are there.
    fn order_is_usable(&mut self) -> QueryResult<bool>;

    /// Whether this role may use the table for how far users have read; for when it
    /// is there.
    fn reading_is_usable(&mut self) -> QueryResult<bool>;

    /// Whether this role may change messages; for when the tables are there.
    fn changes_are_usable(&mut self) -> QueryResult<bool>;

    /// Locks the counters of these rooms until the end of the transaction.
    fn lock_counters(&mut self, rooms: &RangeInclusive<i32>) -> QueryResult<()>;

    /// The versions of the migrations that have run.
    fn applied_versions(&mut self) -> QueryResult<BTreeSet<String>>;
}

fn migrate_if_pending<C: Migrate>(connection: &mut C) -> Result<MigrationReport, DatabaseError>
where
    EmbeddedMigrations: MigrationSource<C::Backend>,
    SqlQuery: for<'a> LoadQuery<'a, C, UnnumberedRoom>,
{
    let before = connection.columns()?;
    if is_pending(connection)? {
        if connection.may_migrate()? {
            connection.exclusively(|connection| {
                // Another process may have been faster.
                if is_pending(connection)? {
                    connection
                        .run_pending_migrations(C::embedded())
                        .map_err(from_migration)?;
                }
                Ok(())
            })?;
        } else {
            // `check` below decides whether it works without.
            tracing::warn!(
                "the database user may not change the schema: starting with the tables as they \
                 are, possibly without indexes that make long lists fast, without thumbnails, \
                 without the list of objects that an interrupted upload leaves behind, \
                 without numbered messages, without changes of messages, and without \
                 knowing what users have read"
            );
        }
    }
    let after = connection.columns()?;
    let file_layout = after.check()?;
    let order = after.has_order() && connection.order_is_usable()?;
    let additions = Additions {
        uploads: after.has_uploads(),
        order,
        reading: order && after.has_reading() && connection.reading_is_usable()?,
        changes: order && after.has_changes() && connection.changes_are_usable()?,
    };
    if additions.order {
        numbering::number_old_messages(connection)?;
    }
    Ok(MigrationReport {
        created_tables: TABLES
            .into_iter()
            .filter(|table| after.has_table(table) && !before.has_table(table))
            .collect(),
        file_layout,
        additions,
        missing_compat: after.missing_compat(),
    })
}

fn is_pending<C: Migrate>(connection: &mut C) -> Result<bool, DatabaseError>
where
    EmbeddedMigrations: MigrationSource<C::Backend>,
{
    let applied = connection.applied_versions()?;
    let known: Vec<Box<dyn Migration<C::Backend>>> =
        C::embedded().migrations().map_err(from_migration)?;
    Ok(known
        .iter()
        .any(|migration| !applied.contains(&migration.name().version().to_string())))
}

/// diesel wraps the error of a statement in an untyped one.
fn from_migration(error: Box<dyn std::error::Error + Send + Sync>) -> DatabaseError {
    match error.downcast::<diesel::result::Error>() {
        Ok(error) => (*error).into(),
        Err(error) => DatabaseError::internal(error),
    }
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    answer: bool,
}

fn load_versions<C>(connection: &mut C) -> QueryResult<BTreeSet<String>>
where
    C: Connection,
    SqlQuery: for<'a> LoadQuery<'a, C, Version>,
{
    let rows: Vec<Version> =
        sql_query("select version from __diesel_schema_migrations").load(connection)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

impl Migrate for SyncPgConnection {
    fn embedded() -> EmbeddedMigrations {
        POSTGRES
    }

    fn exclusively<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        self.transaction(|connection| {
            // Given back by the end of the transaction, however it ends.
            sql_query(format!("select pg_advisory_xact_lock({POSTGRES_LOCK})"))
                .execute(connection)?;
            work(connection)
        })
    }

    fn may_migrate(&mut self) -> QueryResult<bool> {
        // Indexes can only be added by the owner of the table.
        let row: Answer = sql_query(format!(
            "select coalesce(has_schema_privilege(current_schema(), 'create'), false)
                and coalesce(
                    (select bool_and(pg_has_role(relowner, 'usage')) from pg_class
                     where oid in ({})),
                    true
                ) as answer",
            schema_check::postgres_table_oids()
        ))
        .get_result(self)?;
        Ok(row.answer)
    }

    fn columns(&mut self) -> QueryResult<Columns> {
        schema_check::load_postgres_columns(self)
    }

    fn order_is_usable(&mut self) -> QueryResult<bool> {
        let sql = format!(
            "select {} as answer",
            schema_check::postgres_order_is_usable()
        );
        let row: Answer = sql_query(sql).get_result(self)?;
        Ok(row.answer)
    }

    fn reading_is_usable(&mut self) -> QueryResult<bool> {
        let sql = format!(
            "select {} as answer",
            schema_check::postgres_reading_is_usable()
        );
        let row: Answer = sql_query(sql).get_result(self)?;
        Ok(row.answer)
    }

    fn changes_are_usable(&mut self) -> QueryResult<bool> {
        let sql = format!(
            "select {} as answer",
            schema_check::postgres_changes_are_usable()
        );
        let row: Answer = sql_query(sql).get_result(self)?;
        Ok(row.answer)
    }

    fn lock_counters(&mut self, rooms: &RangeInclusive<i32>) -> QueryResult<()> {
        // In the order in which the trigger takes them.
        self.batch_execute(&format!(
            "select from room_sequences where room_id between {} and {}
             order by room_id for no key update",
            rooms.start(),
            rooms.end()
        ))
    }

    fn applied_versions(&mut self) -> QueryResult<BTreeSet<String>> {
        let exists: Answer =
            sql_query("select to_regclass('__diesel_schema_migrations') is not null as answer")
                .get_result(self)?;
        if exists.answer {
            load_versions(self)
        } else {
            Ok(BTreeSet::new())
        }
    }
}

impl Migrate for SqliteConnection {
    fn embedded() -> EmbeddedMigrations {
        SQLITE
    }

    fn exclusively<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        // Takes the write lock of the file at once.
        self.immediate_transaction(work)
    }

    fn may_migrate(&mut self) -> QueryResult<bool> {
        Ok(true)
    }

    fn columns(&mut self) -> QueryResult<Columns> {
        schema_check::load_sqlite_columns(self)
    }

    fn order_is_usable(&mut self) -> QueryResult<bool> {
        let row: Answer = sql_query(
            "select exists (
                 select 1 from sqlite_master where type = 'trigger' and name = 'number_messages'
             ) as answer",
        )
        .get_result(self)?;
        Ok(row.answer)
    }

    fn reading_is_usable(&mut self) -> QueryResult<bool> {
        Ok(true)
    }

    fn changes_are_usable(&mut self) -> QueryResult<bool> {
        Ok(true)
    }

    fn lock_counters(&mut self, _rooms: &RangeInclusive<i32>) -> QueryResult<()> {
        // The transaction keeps every other writer out.
        Ok(())
    }

    fn applied_versions(&mut self) -> QueryResult<BTreeSet<String>> {
        let exists: Answer = sql_query(
            "select exists (
                 select 1 from sqlite_master where name = '__diesel_schema_migrations'
             ) as answer",
        )
        .get_result(self)?;
        if exists.answer {
            load_versions(self)
        } else {
            Ok(BTreeSet::new())
        }
    }
}

#[cfg(test)]
mod tests;
