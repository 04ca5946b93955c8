//! An SQLite database as the server opens it: created on the way, locked
//! against a second process.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use chat_database::{Claim, Database, DatabaseConfig, DatabaseUrl, InstanceLock};
use tempfile::TempDir;

async fn open(folder: &TempDir) -> Database {
    let path = folder.path().join("chat.db");
    let url = DatabaseUrl::parse(&format!("sqlite:///{}", path.display()));
    let config = DatabaseConfig {
        url: url.expect("a valid URL"),
        pool_size: 2,
    };
    Database::connect(config).await.expect("it opens")
}

async fn lock(database: &Database) -> InstanceLock {
    let lock = database.acquire_instance_lock(Claim::Only).await;
    lock.expect("nobody else has it")
}

#[tokio::test]
async fn a_second_process_is_refused_after_a_while() {
    let folder = TempDir::new().expect("a folder");
    let (one, two) = (open(&folder).await, open(&folder).await);
    let held = lock(&one).await;
    let begin = Instant::now();
    let error = two
        .acquire_instance_lock(Claim::Only)
        .await
        .expect_err("one has it");
    assert_eq!(error.code(), "instance_running");
    assert!((9..15).contains(&begin.elapsed().as_secs()));
    let lost = tokio::time::timeout(Duration::from_millis(100), held.lost()).await;
    assert!(lost.is_err());
}

#[tokio::test]
async fn a_quick_restart_waits_for_the_old_process() {
    let folder = TempDir::new().expect("a folder");
    let (old, new) = (open(&folder).await, open(&folder).await);
    for is_released in [true, false] {
        let held = lock(&old).await;
        let waiting = tokio::spawn({
            let new = new.clone();
            async move { new.acquire_instance_lock(Claim::Only).await }
        });
        tokio::task::yield_now().await;
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
async fn the_lock_file_is_private_and_stays() {
    let folder = TempDir::new().expect("a folder");
    let database = open(&folder).await;
    lock(&database).await.release().await;
    let metadata = std::fs::metadata(folder.path().join("chat.db.lock")).expect("it is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}
