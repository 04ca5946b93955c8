//! The pooled sessions that diesel works on.
//!
//! A session whose connection broke, or that was given back in the middle of
//! a transaction (its future was dropped), is thrown away when it is next
//! taken, without asking the server: so the pool recovers by itself after a
//! restart, and an idle pool costs no round trip per use.

use std::fmt;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult, Timeouts,
};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::PoolableConnection;

use super::connect::Connector;
use crate::error::DatabaseError;

/// How long a request waits for a session before it is told to come back.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The pool; clones share the sessions.
#[derive(Clone)]
pub(crate) struct PostgresPool {
    pool: Pool<Connector>,
}

/// A session on loan; goes back to the pool when dropped.
pub(crate) type PooledConnection = Object<Connector>;

impl PostgresPool {
    /// A pool of at most `size` sessions (at least one); none is opened yet.
    ///
    /// # Errors
    /// [`DatabaseError::Internal`] if the pool cannot be built.
    pub(crate) fn new(connector: Connector, size: usize) -> Result<Self, DatabaseError> {
        let pool = Pool::builder(connector)
            .max_size(size.max(1))
            // Opening a session has its own timeout, from the URL.
            .timeouts(Timeouts {
                wait: Some(WAIT_TIMEOUT),
                create: None,
                recycle: None,
            })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(DatabaseError::internal)?;
        Ok(Self { pool })
    }

    /// Takes a session, opening one if none is idle.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if none becomes free in time or the
    /// server cannot be reached; [`DatabaseError::LoginFailed`] if it no
    /// longer lets us in.
    ///
    /// # Cancel safety
    /// Nothing is lost if dropped.
    pub(crate) async fn get(&self) -> Result<PooledConnection, DatabaseError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => DatabaseError::unavailable(
                "all database connections were busy; no one became free in time",
            ),
            PoolError::Closed => DatabaseError::unavailable("the database was closed"),
            error @ (PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
                DatabaseError::internal(error)
            }
        })
    }

    /// Closes the idle sessions, and the others when they come back.
    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

impl fmt::Debug for PostgresPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresPool")
            .field("status", &self.pool.status())
            .finish()
    }
}

impl Manager for Connector {
    type Type = AsyncPgConnection;
    type Error = DatabaseError;

    async fn create(&self) -> Result<AsyncPgConnection, DatabaseError> {
        self.open().await
    }

    async fn recycle(
        &self,
        connection: &mut AsyncPgConnection,
        _: &Metrics,
    ) -> RecycleResult<DatabaseError> {
        if connection.is_broken() {
            return Err(RecycleError::message(
                "the session is closed or in a transaction",
            ));
        }
        Ok(())
    }
}
