//! The instance lock of a PostgreSQL database: a session advisory lock.
//!
//! A session of its own holds it, so a crash of this process frees it; the
//! server's keepalives on that session free it when the whole host vanishes.
//! When the session is lost because the server restarts, the task here fetches
//! the lock again, for as long as it takes. Only if another process has it by
//! then is it reported as lost.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::connect::{Connector, Session};
use crate::error::DatabaseError;
use crate::instance_lock::{InstanceLock, Patience};

/// Advisory locks are per database; this number tells ours from those of
/// other programs. It spells "izpochat", and must never change: two versions
/// of this service must see each other.
const KEY: i64 = i64::from_be_bytes(*b"izpochat");

/// A quarter of a minute of silence, then three questions five seconds apart.
const KEEPALIVES: &str = "set tcp_keepalives_idle = 15;
    set tcp_keepalives_interval = 5;
    set tcp_keepalives_count = 3";

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses while the server is away: the first, doubling up to the last.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// Takes the lock, waiting up to ten seconds for a process that is closing.
///
/// # Errors
/// [`DatabaseError::InstanceRunning`] if another process keeps it; otherwise
/// as [`Connector::open_client`].
pub(crate) async fn acquire_instance_lock(
    connector: &Connector,
) -> Result<InstanceLock, DatabaseError> {
    // The name tells the sessions of this very process from all others.
    let name = format!(
        "izpochat instance {:016x}",
        RandomState::new().hash_one(KEY)
    );
    let connector = connector.with_application_name(&name);
    let session = open_session(&connector).await?;
    let patience = Patience::begin();
    while !try_lock(&session.client).await? {
        patience.pause().await?;
    }

    let (lost_sender, lost) = watch::channel(None);
    let (release, released) = oneshot::channel();
    let keeper = Keeper {
        connector,
        name,
        released,
    };
    let task = tokio::spawn(keeper.keep(session, lost_sender));
    Ok(InstanceLock::from_session(task, release, lost))
}

/// Looks after the locking session for as long as the lock is wanted.
struct Keeper {
    connector: Connector,
    name: String,
    /// Ends when the handle is released or dropped.
    released: oneshot::Receiver<()>,
}

impl Keeper {
    async fn keep(mut self, mut session: Session, lost: watch::Sender<Option<String>>) {
        loop {
            tokio::select! {
                _ = &mut self.released => {
                    if let Err(error) = unlock(&session.client).await {
                        tracing::debug!(
                            error = error.report(),
                            "could not unlock the instance lock, closing its session instead"
                        );
                    }
                    return;
                }
                // The result only says how the connection ended.
                _ = &mut session.end => {}
            }
            tracing::warn!("the session of the instance lock was lost, fetching the lock again");
            let again = tokio::select! {
                _ = &mut self.released => return,
                again = reacquire(&self.connector, &self.name) => again,
            };
            let Some(again) = again else {
                lost.send_replace(Some(
                    "while the database was away, another process of this service took over"
                        .to_owned(),
                ));
                return;
            };
            tracing::info!("the instance lock is held again");
            session = again;
        }
    }
}

/// Tries until the lock is held (`Some`) or another process has it (`None`).
async fn reacquire(connector: &Connector, name: &str) -> Option<Session> {
    let mut pause = RETRY_FIRST;
    loop {
        match try_reacquire(connector, name).await {
            Ok(Attempt::Locked(session)) => return Some(session),
            Ok(Attempt::HeldByOther) => return None,
            Ok(Attempt::Again) => {}
            Err(error) => {
                tracing::debug!(error = error.report(), "the instance lock has to wait");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_LAST);
    }
}

enum Attempt {
    Locked(Session),
    HeldByOther,
    Again,
}

async fn try_reacquire(connector: &Connector, name: &str) -> Result<Attempt, DatabaseError> {
    let session = open_session(connector).await?;
    if try_lock(&session.client).await? {
        return Ok(Attempt::Locked(session));
    }
    Ok(match holder(&session.client).await? {
        // Our own last session: the network broke, and the server has not
        // noticed yet that nobody is there any more.
        Some((holder, pid)) if holder == name => {
            ask(
                &session.client,
                &format!("select pg_terminate_backend({pid})"),
            )
            .await?;
            Attempt::Again
        }
        Some(_) => Attempt::HeldByOther,
        None => Attempt::Again,
    })
}

async fn open_session(connector: &Connector) -> Result<Session, DatabaseError> {
    let session = connector.open_session().await?;
    session.client.batch_execute(KEEPALIVES).await?;
    Ok(session)
}

async fn try_lock(client: &Client) -> Result<bool, DatabaseError> {
    let row = ask(client, &format!("select pg_try_advisory_lock({KEY})")).await?;
    Ok(row.is_some_and(|row| row.get(0) == Some("t")))
}

async fn unlock(client: &Client) -> Result<(), DatabaseError> {
    ask(client, &format!("select pg_advisory_unlock({KEY})")).await?;
    Ok(())
}

/// Application name and process id of the session that has the lock.
async fn holder(client: &Client) -> Result<Option<(String, i32)>, DatabaseError> {
    // The server splits a 64 bit key into two columns.
    let query = format!(
        "select activity.application_name, activity.pid
         from pg_locks as locks
         join pg_stat_activity as activity on activity.pid = locks.pid
         join pg_database as here on here.oid = locks.database
         where here.datname = current_database() and locks.locktype = 'advisory'
           and locks.granted and locks.objsubid = 1
           and locks.classid = {} and locks.objid = {}",
        KEY >> 32,
        KEY & 0xffff_ffff
    );
    let row = ask(client, &query).await?;
    Ok(row.and_then(|row| {
        // The name is null for a session of a role whose doings are hidden.
        let name = row.get(0).unwrap_or_default().to_owned();
        Some((name, row.get(1)?.parse().ok()?))
    }))
}

async fn ask(client: &Client, query: &str) -> Result<Option<SimpleQueryRow>, DatabaseError> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, client.simple_query(query))
        .await
        .map_err(|_| DatabaseError::unavailable("the server did not answer in time"))??;
    Ok(answer.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }))
}
