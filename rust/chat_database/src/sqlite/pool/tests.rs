//! What the pool promises: privacy of the files, and connections that no
//! closure can lose.

use std::os::unix::fs::PermissionsExt;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Integer;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Integer)]
    n: i32,
}

fn ask(connection: &mut SqliteConnection, query: &str) -> i32 {
    let row: Number = sql_query(query).get_result(connection).expect("a number");
    row.n
}

async fn pool_in(folder: &TempDir) -> SqlitePool {
    let url = SqliteUrl::new(folder.path().join("data/chat.db"));
    let pool = SqlitePool::open(&url, 2).await.expect("the pool opens");
    pool.run(SqliteAccess::Write, |connection| {
        connection.batch_execute("create table t (n integer not null)")
    })
    .await
    .expect("the pool works")
    .expect("the table is made");
    pool
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path)
        .expect("the file exists")
        .permissions()
        .mode()
        & 0o777
}

#[tokio::test]
async fn everything_it_creates_is_private() {
    let folder = TempDir::new().expect("a folder");
    let _pool = pool_in(&folder).await;
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    for file in ["chat.db", "chat.db-wal", "chat.db-shm"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn sessions_are_set_up_for_durability_and_integrity() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    for access in [SqliteAccess::Read, SqliteAccess::Write] {
        let settings = pool
            .run(access, |connection| {
                [
                    ask(
                        connection,
                        "select synchronous as n from pragma_synchronous",
                    ),
                    ask(
                        connection,
                        "select foreign_keys as n from pragma_foreign_keys",
                    ),
                    ask(connection, "select timeout as n from pragma_busy_timeout"),
                    ask(
                        connection,
                        "select journal_mode = 'wal' as n from pragma_journal_mode",
                    ),
                ]
            })
            .await
            .expect("the pool works");
        assert_eq!(settings, [2, 1, 5000, 1]);
    }
}

#[tokio::test]
async fn readers_cannot_write() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    let result = pool
        .run(SqliteAccess::Read, |connection| {
            connection.batch_execute("insert into t values (1)")
        })
        .await
        .expect("the pool works");
    assert!(result.is_err());
}

#[tokio::test]
async fn a_panic_costs_only_its_own_work() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    for access in [SqliteAccess::Write, SqliteAccess::Read] {
        for _ in 0..5 {
            let result = pool
                .run(access, move |connection| {
                    if access == SqliteAccess::Write {
                        let begun =
                            connection.batch_execute("begin immediate; insert into t values (1)");
                        begun.expect("the row is inserted");
                    }
                    panic!("on purpose")
                })
                .await;
            let error = result.expect_err("the panic is reported");
            assert_eq!(error.code(), "internal");
        }
    }
    let count = pool
        .run(SqliteAccess::Write, |connection| {
            ask(connection, "select count(*) as n from t")
        })
        .await;
    assert_eq!(count.expect("the pool works"), 0);
}

#[tokio::test]
async fn a_transaction_left_open_does_not_reach_the_next_user() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    pool.run(SqliteAccess::Write, |connection| {
        AnsiTransactionManager::begin_transaction(connection).expect("the transaction begins");
        connection
            .batch_execute("insert into t values (1)")
            .expect("the row is inserted");
    })
    .await
    .expect("the pool works");
    let count = pool
        .run(SqliteAccess::Write, |connection| {
            connection.immediate_transaction(|connection| {
                QueryResult::Ok(ask(connection, "select count(*) as n from t"))
            })
        })
        .await
        .expect("the pool works");
    assert_eq!(count, Ok(0));
}

#[tokio::test]
async fn work_that_has_begun_is_finished_though_nobody_waits() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    let (begun_sender, begun) = oneshot::channel();
    let (go, go_receiver) = oneshot::channel::<()>();
    let task = tokio::spawn({
        let pool = pool.clone();
        async move {
            pool.run(SqliteAccess::Write, |connection| {
                begun_sender.send(()).expect("the test waits");
                go_receiver.blocking_recv().expect("the test answers");
                connection.batch_execute("insert into t values (1)")
            })
            .await
        }
    });
    begun.await.expect("the work begins");
    task.abort();
    assert!(task.await.is_err());
    go.send(()).expect("the work waits");
    let count = pool
        .run(SqliteAccess::Write, |connection| {
            ask(connection, "select count(*) as n from t")
        })
        .await;
    assert_eq!(count.expect("the pool works"), 1);
}

#[tokio::test]
async fn closing_folds_the_log_into_the_file() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    pool.run(SqliteAccess::Read, |connection| {
        ask(connection, "select 1 as n")
    })
    .await
    .expect("the pool works");
    pool.close().await;
    pool.close().await;
    assert!(!folder.path().join("data/chat.db-wal").exists());
    let after = pool.run(SqliteAccess::Read, |_| ()).await;
    assert_eq!(
        after.expect_err("it is closed").code(),
        "database_unavailable"
    );
}

#[tokio::test]
async fn another_kind_of_file_is_refused_untouched() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("letter.txt");
    let text = "Dear database, ".repeat(100);
    std::fs::write(&path, &text).expect("the file is written");
    let error = SqlitePool::open(&SqliteUrl::new(&path), 1)
        .await
        .expect_err("not a database");
    assert_eq!(error.code(), "database_unavailable");
    assert!(
        error.report().contains("not a database"),
        "{}",
        error.report()
    );
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), text);
}
