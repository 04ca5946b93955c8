//! What refusals and silences at the login turn into, and how fast.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::fake_server::{error_response, listen, read_startup};
use crate::fixture::{TestDatabase, open};

#[tokio::test]
async fn a_missing_database_is_named() {
    let mut database = TestDatabase::create().await;
    let name = database.name.clone();
    database.name = "izpochat_nowhere".to_owned();
    let error = open(&database.url()).await.expect_err("there is none");
    database.name = name;
    assert_eq!(error.code(), "database_login_failed");
    let report = error.report();
    assert!(report.contains("izpochat_nowhere"), "{report}");
    assert!(report.contains("create it first"), "{report}");
}

#[tokio::test]
async fn a_missing_role_is_named() {
    let database = TestDatabase::create().await;
    let error = open(&database.url_as("izpochat_nobody", "hunter2"))
        .await
        .expect_err("there is none");
    assert_eq!(error.code(), "database_login_failed");
    let report = error.report();
    assert!(report.contains("izpochat_nobody"), "{report}");
    assert!(!report.contains("hunter2"), "{report}");
}

#[tokio::test]
async fn the_servers_refusals_are_told_apart() {
    for (state, expected) in [
        ("28P01", "database_login_failed"),
        ("28000", "database_login_failed"),
        ("3D000", "database_login_failed"),
        ("57P03", "database_unavailable"),
        ("57P01", "database_unavailable"),
        ("53300", "database_unavailable"),
        ("08P01", "database_unavailable"),
        ("XX000", "internal"),
    ] {
        let port = listen(move |mut client| async move {
            read_startup(&mut client).await?;
            client.write_all(&error_response(state, "no")).await
        })
        .await;
        let error = open(&format!("postgresql://u:hunter2@127.0.0.1:{port}/d"))
            .await
            .expect_err("it refuses");
        assert_eq!(error.code(), expected, "{state}");
        assert!(!format!("{error:?} {}", error.report()).contains("hunter2"));
    }
}

#[tokio::test]
async fn a_refused_connection_is_reported_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let begin = Instant::now();
    let error = open(&format!("postgresql://u@127.0.0.1:{port}/d"))
        .await
        .expect_err("nobody listens");
    assert_eq!(error.code(), "database_unavailable");
    assert!(error.report().contains("refused"), "{}", error.report());
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let port = listen(|client| async move {
        let _client = client;
        std::future::pending().await
    })
    .await;
    let begin = Instant::now();
    let url = format!("postgresql://u@127.0.0.1:{port}/d?connect_timeout=1");
    let error = open(&url).await.expect_err("it never answers");
    assert_eq!(error.code(), "database_unavailable");
    assert!(error.report().contains("in time"), "{}", error.report());
    assert!(begin.elapsed() < Duration::from_secs(4));
}
