//! The pooled sessions that diesel works on.
//!
//! Queries and the message writer share the sessions that the server grants. There is
//! one more than queries may use, so that a burst of slow queries cannot keep the writer
//! waiting; where the server grants fewer, the writer is served first.
//!
//! A session whose connection broke is thrown away when it is next taken, without asking
//! the server: so the pool recovers by itself after a restart, and an idle pool costs no
//! round trip per use. A session in which something went wrong that can be the session's
//! own fault (what it has prepared does not fit the tables any more, its settings are of a
//! time when the server took no writes) is replaced, and so are all that are older, once
//! the new one did better. A call that is dropped takes its session along.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::connect::{Connector, FullPatience};
use crate::error::{DatabaseError, ErrorKind};

/// How long a request waits for a session before it is told to come back.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the number of sessions that the server granted is kept to before another one
/// is asked for.
const GROW_AFTER: Duration = Duration::from_secs(10);
/// For statements that find all their rows by an index. A plan that reads a whole table,
/// made while it is small, stays in use while it grows: until the server next looks at
/// its statistics, perhaps a million messages later.
const ONLY_BY_INDEX: &str = "set enable_seqscan = off";

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Queries,
    Writer,
}

/// The pool; clones share the sessions.
#[derive(Clone)]
pub(crate) struct PostgresPool {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    /// The most sessions that queries use at once.
    size: usize,
    /// A plain lock, never held while waiting.
    state: Mutex<State>,
}

struct State {
    is_closed: bool,
    /// Idle, lent, or being opened.
    open: usize,
    /// How many sessions the server grants, as far as is known.
    limit: usize,
    /// When the server last refused one.
    full_at: Option<Instant>,
    lent_to_queries: usize,
    /// The one that was used last is taken first.
    idle: Vec<Session>,
    /// Sessions of an earlier one are not used again.
    generation: u64,
    waiting_writers: VecDeque<oneshot::Sender<Grant>>,
    waiting_queries: VecDeque<oneshot::Sender<Grant>>,
}

struct Session {
    connection: AsyncPgConnection,
    /// Whom it was opened for.
    lane: Lane,
    generation: u64,
}

/// The right to use a session; none is there: to open one.
struct Grant {
    permit: Permit,
    session: Option<Session>,
}

/// One of the sessions that are counted as open.
struct Permit {
    pool: PostgresPool,
    lane: Lane,
    is_spent: bool,
}

/// A session on loan.
pub(crate) struct PooledConnection {
    session: Session,
    permit: Permit,
}

impl PostgresPool {
    /// A pool of at most `size` sessions for queries (at least one), and one for the
    /// writer; none is opened yet.
    pub(crate) fn new(connector: Connector, size: usize) -> Self {
        let size = size.max(1);
        Self {
            shared: Arc::new(Shared {
                connector,
                size,
                state: Mutex::new(State {
                    is_closed: false,
                    open: 0,
                    limit: size + 1,
                    full_at: None,
                    lent_to_queries: 0,
                    idle: Vec::new(),
                    generation: 0,
                    waiting_writers: VecDeque::new(),
                    waiting_queries: VecDeque::new(),
                }),
            }),
        }
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.shared.connector
    }

    /// Takes a session, opening one if none is idle and the server grants it.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if none becomes free in time or the
    /// server cannot be reached; [`DatabaseError::LoginFailed`] if it no
    /// longer lets us in.
    ///
    /// # Cancel safety
    /// Nothing is lost if dropped.
    pub(crate) async fn get(&self, lane: Lane) -> Result<PooledConnection, DatabaseError> {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        loop {
            let Grant { permit, session } = self.grant(lane, deadline).await?;
            let full = match session {
                Some(session) => return PooledConnection { session, permit }.for_lane().await,
                None => match permit.open().await {
                    Ok(opened) => return Ok(opened),
                    Err((error, permit)) if error.is_server_full() && Instant::now() < deadline => {
                        self.note_full(permit)
                    }
                    Err((error, _)) => return Err(error),
                },
            };
            if full == Full::WithoutOurs {
                // Nothing will be given back that this could wait for.
                FullPatience::pause().await;
            }
        }
    }

    async fn grant(&self, lane: Lane, deadline: Instant) -> Result<Grant, DatabaseError> {
        let grant = {
            let mut state = self.lock();
            if state.is_closed {
                return Err(closed());
            }
            let (grant, granted) = oneshot::channel();
            state.waiting(lane).push_back(grant);
            self.serve(&mut state);
            granted
        };
        match timeout_at(deadline, grant).await {
            Ok(Ok(grant)) => Ok(grant),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(DatabaseError::unavailable(
                "all database connections were busy; no one became free in time",
            )),
        }
    }

    /// Grants what is there to those who wait: to the writer first, to queries in their
    /// order.
    fn serve(&self, state: &mut State) {
        for lane in [Lane::Writer, Lane::Queries] {
            while let Some(waiting) = state.waiting(lane).pop_front() {
                if waiting.is_closed() {
                    continue;
                }
                let Some(session) = state.take(lane, self.shared.size) else {
                    state.waiting(lane).push_front(waiting);
                    break;
                };
                let permit = Permit {
                    pool: self.clone(),
                    lane,
                    is_spent: false,
                };
                if let Err(mut refused) = waiting.send(Grant { permit, session }) {
                    // Not by dropping it, which would lock again.
                    refused.permit.is_spent = true;
                    state.put_back(lane, refused.session.take());
                }
            }
        }
    }

    /// The server does not grant the session that was to be opened: from now on those
    /// that are there have to do.
    fn note_full(&self, permit: Permit) -> Full {
        let mut state = self.lock();
        let others = state.open.saturating_sub(1);
        if state.full_at.is_none() {
            tracing::warn!(
                sessions = others,
                "the database server grants no more sessions; calls wait for those there are"
            );
        }
        state.limit = others.max(1);
        state.full_at = Some(Instant::now());
        drop(state);
        drop(permit);
        if others == 0 {
            Full::WithoutOurs
        } else {
            Full::WithOurs
        }
    }

    /// Does with one session less for a while, so that something else of this process
    /// gets one from a server that is full.
    pub(super) fn make_room(&self) {
        let mut state = self.lock();
        state.limit = state.open.saturating_sub(1).max(1);
        state.full_at = Some(Instant::now());
        let surplus = if state.open > state.limit {
            state.open -= usize::from(!state.idle.is_empty());
            let of_queries = |session: &Session| session.lane == Lane::Queries;
            match state.idle.iter().position(of_queries) {
                Some(index) => Some(state.idle.remove(index)),
                None => state.idle.pop(),
            }
        } else {
            None
        };
        drop(state);
        drop(surplus);
    }

    fn give_back(&self, lane: Lane, session: Option<Session>) {
        let mut state = self.lock();
        let surplus = state.put_back(lane, session);
        self.serve(&mut state);
        drop(state);
        // Closing it is not done under the lock.
        drop(surplus);
    }

    /// Closes the idle sessions, and the others when they come back.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let idle = std::mem::take(&mut state.idle);
        state.open -= idle.len();
        let waiting = (
            std::mem::take(&mut state.waiting_writers),
            std::mem::take(&mut state.waiting_queries),
        );
        drop(state);
        drop((idle, waiting));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a few assignments that cannot panic.
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server that grants no more sessions has granted some to this pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    WithOurs,
    WithoutOurs,
}

impl State {
    fn waiting(&mut self, lane: Lane) -> &mut VecDeque<oneshot::Sender<Grant>> {
        match lane {
            Lane::Queries => &mut self.waiting_queries,
            Lane::Writer => &mut self.waiting_writers,
        }
    }

    /// An idle session, or none, which means that one may be opened; `None` outside:
    /// neither.
    fn take(&mut self, lane: Lane, size: usize) -> Option<Option<Session>> {
        let is_old = |refused: Instant| refused.elapsed() >= GROW_AFTER;
        if self.limit <= size && self.full_at.is_some_and(is_old) {
            self.limit += 1;
            self.full_at = (self.limit <= size).then(Instant::now);
        }
        // One is left for the writer, unless there is only one.
        let most = size.min(self.limit.saturating_sub(1).max(1));
        if lane == Lane::Queries && self.lent_to_queries >= most {
            return None;
        }
        let generation = self.generation;
        let before = self.idle.len();
        self.idle
            .retain_mut(|session| session.is_usable(generation));
        self.open -= before - self.idle.len();
        let own = self.idle.iter().rposition(|session| session.lane == lane);
        let session = match own {
            Some(index) => Some(self.idle.remove(index)),
            None if self.open < self.limit => {
                self.open += 1;
                None
            }
            None => Some(self.idle.pop()?),
        };
        self.lent_to_queries += usize::from(lane == Lane::Queries);
        Some(session)
    }

    /// Counts back what was lent; answers a session that is not kept.
    fn put_back(&mut self, lane: Lane, session: Option<Session>) -> Option<Session> {
        self.lent_to_queries -= usize::from(lane == Lane::Queries);
        let generation = self.generation;
        let is_wanted = !self.is_closed && self.open <= self.limit;
        match session {
            Some(mut session) => {
                if is_wanted && session.is_usable(generation) {
                    self.idle.push(session);
                    return None;
                }
                self.open -= 1;
                Some(session)
            }
            None => {
                self.open -= 1;
                None
            }
        }
    }
}

impl Session {
    fn is_usable(&mut self, generation: u64) -> bool {
        self.generation == generation && !self.connection.is_broken()
    }
}

impl Permit {
    /// # Errors
    /// As [`Connector::open`], with the permit.
    async fn open(self) -> Result<PooledConnection, (DatabaseError, Self)> {
        let generation = self.pool.lock().generation;
        let opened = async {
            let mut connection = self.pool.connector().open().await?;
            if self.lane == Lane::Writer {
                connection.batch_execute(ONLY_BY_INDEX).await?;
            }
            Ok(connection)
        };
        match opened.await {
            Ok(connection) => Ok(PooledConnection {
                session: Session {
                    connection,
                    lane: self.lane,
                    generation,
                },
                permit: self,
            }),
            Err(error) => Err((error, self)),
        }
    }
}

impl Drop for Permit {
    /// Without its session: that one is gone.
    fn drop(&mut self) {
        if !self.is_spent {
            self.pool.give_back(self.lane, None);
        }
    }
}

impl PooledConnection {
    /// Whether what failed could do better in a new session.
    pub(crate) fn is_to_blame_for<T>(&self, result: &Result<T, DatabaseError>) -> bool {
        result.as_ref().is_err_and(DatabaseError::may_be_of_session)
    }

    /// Ends the loan after the last result. A new session that did what an older one
    /// failed to do (`is_better`) is the end of all the older ones; one with which the
    /// database was away is not used again.
    pub(crate) fn finish<T>(mut self, result: &Result<T, DatabaseError>, is_better: bool) {
        match result {
            Err(error) if error.kind() == ErrorKind::Unavailable => return,
            Ok(_) if is_better => {
                let mut state = self.permit.pool.lock();
                state.generation += 1;
                self.session.generation = state.generation;
            }
            _ => {}
        }
        let Self {
            session,
            mut permit,
        } = self;
        permit.is_spent = true;
        permit.pool.give_back(permit.lane, Some(session));
    }

    /// In exchange for a new session.
    ///
    /// # Errors
    /// As [`PostgresPool::get`].
    pub(crate) async fn renew(self) -> Result<Self, DatabaseError> {
        let Self {
            session,
            mut permit,
        } = self;
        drop(session);
        let patience = FullPatience::begin();
        loop {
            match permit.open().await {
                Ok(opened) => return Ok(opened),
                // The server takes a moment to see that the old one is gone.
                Err((error, again)) if patience.is_left_for(&error) => {
                    permit = again;
                    FullPatience::pause().await;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// A session that was opened for queries and is the writer's from now on.
    async fn for_lane(mut self) -> Result<Self, DatabaseError> {
        if self.permit.lane == Lane::Writer && self.session.lane == Lane::Queries {
            self.session.connection.batch_execute(ONLY_BY_INDEX).await?;
            self.session.lane = Lane::Writer;
        }
        Ok(self)
    }
}

impl Deref for PooledConnection {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &AsyncPgConnection {
        &self.session.connection
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        &mut self.session.connection
    }
}

impl fmt::Debug for PostgresPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        formatter
            .debug_struct("PostgresPool")
            .field("open", &state.open)
            .field("idle", &state.idle.len())
            .field("limit", &state.limit)
            .finish_non_exhaustive()
    }
}

fn closed() -> DatabaseError {
    DatabaseError::unavailable("the database was closed")
}
