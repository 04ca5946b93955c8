//! One process per database, over crashes, restarts and broken networks.

use std::time::{Duration, Instant};

use chat_database::{Claim, Database, InstanceLock};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::fixture::{TestDatabase, open, wait_until};
use crate::proxy::{Cut, Proxy};

async fn open_through(database: &TestDatabase, proxy: &Proxy) -> Database {
    let url = database.url_through("127.0.0.1", proxy.port, "");
    open(&url).await.expect("it opens")
}

async fn lock(database: &Database) -> InstanceLock {
    let lock = database.acquire_instance_lock(Claim::Only).await;
    lock.expect("nobody else has it")
}

/// Process id of the session that has the lock.
async fn holder(client: &Client) -> Option<i32> {
    let query = "select pid from pg_locks
                 join pg_database on pg_database.oid = pg_locks.database
                 where datname = current_database() and locktype = 'advisory' and granted";
    let row = client.query_opt(query, &[]).await.expect("at most one");
    row.map(|row| row.get(0))
}

/// `lost` has not come to an end.
async fn is_quiet(lock: &InstanceLock) -> bool {
    timeout(Duration::from_millis(300), lock.lost())
        .await
        .is_err()
}

#[tokio::test]
async fn a_second_process_is_refused_after_a_while() {
    let database = TestDatabase::create().await;
    let (one, two) = (database.open().await, database.open().await);
    let held = lock(&one).await;
    let begin = Instant::now();
    let error = two
        .acquire_instance_lock(Claim::Only)
        .await
        .expect_err("one has it");
    assert_eq!(error.code(), "instance_running");
    assert!(error.report().contains("one process"), "{}", error.report());
    assert!((9..15).contains(&begin.elapsed().as_secs()));
    assert!(is_quiet(&held).await);
}

#[tokio::test]
async fn a_quick_restart_waits_for_the_old_process() {
    let database = TestDatabase::create().await;
    let (old, new) = (database.open().await, database.open().await);
    for is_released in [true, false] {
        let held = lock(&old).await;
        let waiting = tokio::spawn({
            let new = new.clone();
            async move { new.acquire_instance_lock(Claim::Only).await }
        });
        assert!(is_quiet(&held).await);
        assert!(!waiting.is_finished());
        if is_released {
            held.release().await;
        } else {
            drop(held);
        }
        let next = waiting.await.expect("no panic").expect("it is free");
        next.release().await;
    }
}

#[tokio::test]
async fn other_databases_have_locks_of_their_own() {
    let (here, there) = (TestDatabase::create().await, TestDatabase::create().await);
    let _here = lock(&here.open().await).await;
    let _there = lock(&there.open().await).await;
}

#[tokio::test]
async fn the_lock_is_fetched_again_when_the_server_is_back() {
    let database = TestDatabase::create().await;
    let mut proxy = Proxy::start(&database).await;
    let opened = open_through(&database, &proxy).await;
    let client = database.client().await;
    let held = lock(&opened).await;
    let before = holder(&client).await;
    assert!(before.is_some());

    proxy.stop(Cut::Both).await;
    wait_until("the server has freed the lock", async || {
        holder(&client).await.is_none()
    })
    .await;
    assert!(is_quiet(&held).await);
    proxy.restart().await;
    wait_until("the lock is held again", async || {
        holder(&client).await.is_some()
    })
    .await;
    assert_ne!(holder(&client).await, before);
    assert!(is_quiet(&held).await);
    held.release().await;
    wait_until("the lock is free", async || holder(&client).await.is_none()).await;
}

#[tokio::test]
async fn a_crash_frees_the_lock_and_who_took_it_keeps_it() {
    let database = TestDatabase::create().await;
    let mut proxy = Proxy::start(&database).await;
    let one = open_through(&database, &proxy).await;
    let two = database.open().await;
    let lost = lock(&one).await;
    // To the server, and to the other process, this is a crash.
    proxy.stop(Cut::Both).await;
    let taken = lock(&two).await;
    assert!(is_quiet(&lost).await);
    // The first one comes back and finds out.
    proxy.restart().await;
    let reason = timeout(Duration::from_secs(20), lost.lost()).await;
    assert!(reason.expect("it is told").contains("another process"));
    assert!(is_quiet(&taken).await);
}

#[tokio::test]
async fn a_session_only_the_server_believes_in_is_not_another_process() {
    let database = TestDatabase::create().await;
    let mut proxy = Proxy::start(&database).await;
    let opened = open_through(&database, &proxy).await;
    let client = database.client().await;
    let held = lock(&opened).await;
    let ghost = holder(&client).await.expect("a holder");
    proxy.stop(Cut::ClientOnly).await;
    assert_eq!(holder(&client).await, Some(ghost));
    proxy.restart().await;
    wait_until("a new session has the lock", async || {
        holder(&client).await.is_some_and(|pid| pid != ghost)
    })
    .await;
    assert!(is_quiet(&held).await);
}
