//! The instance locks of a PostgreSQL database: session advisory locks.
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

use super::connect::{Connector, FullPatience, Session};
use super::pool::PostgresPool;
use crate::error::DatabaseError;
use crate::instance_lock::{Claim, InstanceLock, Patience};

/// Advisory locks are per database; this number tells ours from those of
/// other programs. It spells "izpochat", and must never change: two versions
/// of this service must see each other.
const KEY: i64 = i64::from_be_bytes(*b"izpochat");
/// The same for the one of several processes that does what one has to do.
const HOME_KEY: i64 = i64::from_be_bytes(*b"izpohome");

/// A quarter of a minute of silence, then three questions five seconds apart.
const KEEPALIVES: &str = "set tcp_keepalives_idle = 15;
    set tcp_keepalives_interval = 5;
    set tcp_keepalives_count = 3";

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses while the server is away: the first, doubling up to the last.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);

fn key_of(claim: Claim) -> i64 {
    match claim {
        Claim::Only | Claim::Member => KEY,
        Claim::Home => HOME_KEY,
    }
}

/// How the functions of the lock end that are for such a claim.
fn suffix_of(claim: Claim) -> &'static str {
    match claim {
        Claim::Only | Claim::Home => "",
        Claim::Member => "_shared",
    }
}

/// Takes the lock, waiting up to ten seconds for a process that is closing.
///
/// # Errors
/// [`DatabaseError::InstanceRunning`] if another process keeps it; otherwise
/// as [`Connector::open_client`].
pub(crate) async fn acquire_instance_lock(
    pool: &PostgresPool,
    claim: Claim,
) -> Result<InstanceLock, DatabaseError> {
    // The name tells the sessions of this very process from all others.
    let name = format!(
        "izpochat instance {:016x}",
        RandomState::new().hash_one(KEY)
    );
    let connector = pool.connector().with_application_name(&name);
    let session = open_patiently(&connector, pool).await?;
    let patience = Patience::begin(claim);
    while !try_lock(&session.client, claim).await? {
        patience.pause().await?;
    }

    let (lost_sender, lost) = watch::channel(None);
    let (release, released) = oneshot::channel();
    let keeper = Keeper {
        connector,
        pool: pool.clone(),
        name,
        claim,
        released,
    };
    let task = tokio::spawn(keeper.keep(session, lost_sender));
    Ok(InstanceLock::from_session(task, release, lost))
}

/// Looks after the locking session for as long as the lock is wanted.
struct Keeper {
    connector: Connector,
    /// Makes room if the server grants no session for the lock.
    pool: PostgresPool,
    name: String,
    claim: Claim,
    /// Ends when the handle is released or dropped.
    released: oneshot::Receiver<()>,
}

impl Keeper {
    async fn keep(mut self, mut session: Session, lost: watch::Sender<Option<String>>) {
        loop {
            tokio::select! {
                _ = &mut self.released => {
                    if let Err(error) = unlock(&session.client, self.claim).await {
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
                again = reacquire(&self.connector, &self.pool, &self.name, self.claim) => again,
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
async fn reacquire(
    connector: &Connector,
    pool: &PostgresPool,
    name: &str,
    claim: Claim,
) -> Option<Session> {
    let mut pause = RETRY_FIRST;
    loop {
        match try_reacquire(connector, name, claim).await {
            Ok(Attempt::Locked(session)) => return Some(session),
            Ok(Attempt::HeldByOther) => return None,
            Ok(Attempt::Again) => {}
            Err(error) => {
                if error.is_server_full() {
                    pool.make_room();
                }
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

async fn try_reacquire(
    connector: &Connector,
    name: &str,
    claim: Claim,
) -> Result<Attempt, DatabaseError> {
    let session = open_session(connector).await?;
    if try_lock(&session.client, claim).await? {
        return Ok(Attempt::Locked(session));
    }
    Ok(match holder(&session.client, claim).await? {
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

/// For the start, where sessions of this process may just be ending.
async fn open_patiently(
    connector: &Connector,
    pool: &PostgresPool,
) -> Result<Session, DatabaseError> {
    let patience = FullPatience::begin();
    loop {
        match open_session(connector).await {
            Err(error) if patience.is_left_for(&error) => {
                pool.make_room();
                FullPatience::pause().await;
            }
            opened => return opened,
        }
    }
}

async fn open_session(connector: &Connector) -> Result<Session, DatabaseError> {
    let session = connector.open_session().await?;
    session.client.batch_execute(KEEPALIVES).await?;
    Ok(session)
}

async fn try_lock(client: &Client, claim: Claim) -> Result<bool, DatabaseError> {
    let (key, suffix) = (key_of(claim), suffix_of(claim));
    let row = ask(
        client,
        &format!("select pg_try_advisory_lock{suffix}({key})"),
    )
    .await?;
    Ok(row.is_some_and(|row| row.get(0) == Some("t")))
}

async fn unlock(client: &Client, claim: Claim) -> Result<(), DatabaseError> {
    let (key, suffix) = (key_of(claim), suffix_of(claim));
    ask(client, &format!("select pg_advisory_unlock{suffix}({key})")).await?;
    Ok(())
}

/// Application name and process id of the session that has the lock.
async fn holder(client: &Client, claim: Claim) -> Result<Option<(String, i32)>, DatabaseError> {
    let key = key_of(claim);
    // The server splits a 64 bit key into two columns.
    let query = format!(
        "select activity.application_name, activity.pid
         from pg_locks as locks
         join pg_stat_activity as activity on activity.pid = locks.pid
         join pg_database as here on here.oid = locks.database
         where here.datname = current_database() and locks.locktype = 'advisory'
           and locks.granted and locks.objsubid = 1
           and locks.classid = {} and locks.objid = {}",
        key >> 32,
        key & 0xffff_ffff
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
