//! What only a server can do: go away and come back, and tell how the writer
//! grouped messages.

use std::time::{Duration, Instant};

use chat_database::{Database, DatabaseConfig, MessageWriter};

use crate::cases::writer::Plug;
use crate::cases::{Fixture, code, message, store, submit};
use crate::proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_wait_together_share_a_commit() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let plug = Plug::insert(&writer, message(room, ana, "")).await;
    for _ in 0..1000 {
        submit(&writer, message(room, ana, "")).await;
    }
    drop(plug);
    writer.flush_and_stop().await;
    let transactions = "select count(distinct xmin::text) from messages";
    // The plug, and 1000 messages in groups of 256.
    assert_eq!(fixture.place.count(transactions).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_the_server_refuses_fails_alone() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let plug = Plug::insert(&writer, message(room, ana, "")).await;
    let good = submit(&writer, message(room, ana, "good")).await;
    let bad = submit(&writer, message(room, ana, "NUL \0")).await;
    let last = submit(&writer, message(room, ana, "good")).await;
    drop(plug);
    good.await.expect("an answer").expect("it is stored");
    assert_eq!(code(bad.await.expect("an answer")), "internal");
    last.await.expect("an answer").expect("it is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_ended_by_the_server_are_replaced() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    store(&writer, message(room, ana, "before")).await;
    fixture
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
    let sessions = "select count(*) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    while fixture.place.count(sessions).await > 0 {
        tokio::task::yield_now().await;
    }
    store(&writer, message(room, ana, "after")).await;
    fixture.database.ping().await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_reported_at_once_and_ends_by_itself() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let proxy = Proxy::start(&fixture.place.url_text()).await;
    let database = Database::connect(DatabaseConfig {
        url: proxy.url().parse().expect("a valid URL"),
        pool_size: 2,
    })
    .await
    .expect("the database opens");
    let writer = MessageWriter::start(database.clone(), false)
        .await
        .expect("a writer");
    store(&writer, message(room, ana, "before")).await;

    proxy.cut().await;
    let start = Instant::now();
    let mut answers = Vec::new();
    for _ in 0..1000 {
        answers.push(submit(&writer, message(room, ana, "lost")).await);
    }
    for answer in answers {
        assert_eq!(
            code(answer.await.expect("an answer")),
            "database_unavailable"
        );
    }
    assert_eq!(code(database.find_user(ana).await), "database_unavailable");
    assert!(start.elapsed() < Duration::from_secs(2));

    proxy.mend().await;
    store(&writer, message(room, ana, "after")).await;
    assert!(database.find_user(ana).await.expect("an answer").is_some());
    writer.flush_and_stop().await;
    database.close().await;
    proxy.cut().await;
}
