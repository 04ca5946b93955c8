//! The pool after the server, or the way to it, was away.

use std::time::{Duration, Instant};

use chat_database::{Database, NewRoom, NewUser, Page};
use chat_protocol::ids::UserId;

use crate::fixture::{TestDatabase, open, open_sized, wait_until};
use crate::proxy::{Cut, Proxy};

const ALL: Page = Page {
    skip: 0,
    limit: 100,
};

fn new_user() -> NewUser {
    NewUser {
        username: "ana".to_owned(),
        email: "ana@example.org".to_owned(),
        full_name: None,
        hashed_password: String::new(),
    }
}

fn new_room(owner_id: UserId) -> NewRoom {
    NewRoom {
        name: "room".to_owned(),
        description: None,
        is_private: false,
        owner_id,
    }
}

/// Works again soon, and is nothing but unavailable until then: a session
/// whose end is still on its way can be met once more.
async fn check_that_it_recovers(database: &Database) {
    wait_until("the database works", async || {
        let result = database.ping().await;
        if let Err(error) = &result {
            assert_eq!(error.code(), "database_unavailable", "{}", error.report());
        }
        result.is_ok()
    })
    .await;
}

#[tokio::test]
async fn while_the_server_is_away_calls_fail_fast_and_afterwards_work() {
    let database = TestDatabase::create().await;
    let mut proxy = Proxy::start(&database).await;
    let opened = open(&database.url_through("127.0.0.1", proxy.port, "")).await;
    let opened = opened.expect("it opens");
    opened.ping().await.expect("it works");
    for _ in 0..2 {
        proxy.stop(Cut::Both).await;
        let begin = Instant::now();
        for _ in 0..10 {
            let error = opened.ping().await.expect_err("it is away");
            assert_eq!(error.code(), "database_unavailable", "{}", error.report());
        }
        assert!(begin.elapsed() < Duration::from_secs(2));
        proxy.restart().await;
        opened.ping().await.expect("it works at once");
    }
}

#[tokio::test]
async fn a_call_that_is_running_when_the_server_goes_is_unavailable() {
    let database = TestDatabase::create().await;
    let opened = database.open().await;
    let mut locker = database.client().await;
    let killer = database.client().await;
    let lock = locker.transaction().await.expect("a transaction");
    lock.batch_execute("lock table users")
        .await
        .expect("the lock");
    let call = tokio::spawn({
        let opened = opened.clone();
        async move { opened.list_users(ALL).await }
    });
    let waiting = "select pid from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    wait_until("the call waits for the lock", async || {
        !killer.query(waiting, &[]).await.expect("a list").is_empty()
    })
    .await;
    // Not the session that holds the lock: without it the call might succeed before it is cut off.
    let cut_off = format!("select pg_terminate_backend(pid) from ({waiting}) as waiting");
    assert_eq!(killer.execute(&cut_off, &[]).await.expect("it is ended"), 1);
    let error = call.await.expect("no panic").expect_err("it was cut off");
    assert_eq!(error.code(), "database_unavailable", "{}", error.report());
    check_that_it_recovers(&opened).await;
}

#[tokio::test]
async fn idle_sessions_that_were_ended_are_replaced() {
    let database = TestDatabase::create().await;
    let opened = database.open().await;
    opened.ping().await.expect("it works");
    let client = database.client().await;
    for _ in 0..5 {
        assert!(database.terminate_all(&client).await > 0);
        check_that_it_recovers(&opened).await;
    }
}

#[tokio::test]
async fn a_call_dropped_in_its_transaction_leaves_no_trace() {
    let database = TestDatabase::create().await;
    let opened = open_sized(&database.url(), 1).await.expect("it opens");
    let owner = opened.create_user(new_user()).await.expect("a user").id;
    let mut locker = database.client().await;
    let watcher = database.client().await;
    let lock = locker.transaction().await.expect("a transaction");
    lock.batch_execute("lock table user_rooms")
        .await
        .expect("the lock");
    let call = tokio::spawn({
        let opened = opened.clone();
        async move { opened.create_room(new_room(owner)).await }
    });
    let waiting = "select pid from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    wait_until("the call waits for the lock", async || {
        !watcher
            .query(waiting, &[])
            .await
            .expect("a list")
            .is_empty()
    })
    .await;
    call.abort();
    assert!(call.await.is_err());
    lock.rollback().await.expect("the lock is given up");
    // The only session of the pool was in a transaction: it is not used again.
    let rooms = opened.list_public_rooms(ALL).await.expect("it works");
    assert_eq!(rooms.len(), 0);
    opened.create_room(new_room(owner)).await.expect("it works");
    let rooms = opened.list_public_rooms(ALL).await.expect("it works");
    assert_eq!(rooms.len(), 1);
}

#[tokio::test]
async fn who_finds_all_sessions_busy_is_told_in_time() {
    let database = TestDatabase::create().await;
    let opened = open_sized(&database.url(), 1).await.expect("it opens");
    let mut locker = database.client().await;
    let lock = locker.transaction().await.expect("a transaction");
    lock.batch_execute("lock table users")
        .await
        .expect("the lock");
    let begin = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let opened = opened.clone();
        calls.spawn(async move { opened.list_users(ALL).await });
    }
    let first = calls.join_next().await.expect("a call").expect("no panic");
    let error = first.expect_err("the other one has the session");
    assert_eq!(error.code(), "database_unavailable");
    assert!(error.report().contains("busy"), "{}", error.report());
    assert!((4..8).contains(&begin.elapsed().as_secs()));
    lock.rollback().await.expect("the lock is given up");
    let second = calls.join_next().await.expect("a call").expect("no panic");
    second.expect("the other one is done");
}

#[tokio::test]
async fn a_closed_database_answers_that_it_is_closed() {
    let database = TestDatabase::create().await;
    let opened = database.open().await;
    opened.close().await;
    let error = opened.ping().await.expect_err("it is closed");
    assert_eq!(error.code(), "database_unavailable");
    let client = database.client().await;
    let sessions = "select pid from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid()";
    wait_until("the server has seen all sessions end", async || {
        client
            .query(sessions, &[])
            .await
            .expect("a list")
            .is_empty()
    })
    .await;
}
