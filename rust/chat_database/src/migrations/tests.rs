//! The SQLite migrations, and the way back. Those of PostgreSQL need a server
//! and are tested through the crate's surface, in `tests/postgres`.

use diesel::connection::SimpleConnection;
use tempfile::TempDir;

use super::*;
use crate::url::SqliteUrl;

async fn pool_in(folder: &TempDir) -> SqlitePool {
    let url = SqliteUrl::new(folder.path().join("chat.db"));
    SqlitePool::open(&url, 1).await.expect("the pool opens")
}

async fn write<R: Send + 'static>(
    pool: &SqlitePool,
    work: impl FnOnce(&mut SqliteConnection) -> R + Send + 'static,
) -> R {
    pool.run(SqliteAccess::Write, work)
        .await
        .expect("the pool works")
}

#[tokio::test]
async fn an_empty_file_gets_all_tables_once() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    let first = migrate_sqlite(&pool).await.expect("it migrates");
    assert_eq!(first.created_tables, TABLES);
    assert_eq!(first.file_layout, FileLayout::A);
    let all = Additions {
        uploads: true,
        order: true,
        reading: true,
        changes: true,
    };
    assert_eq!(first.additions, all);
    let second = migrate_sqlite(&pool).await.expect("it migrates again");
    assert_eq!(second.created_tables, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_migrate_at_once() {
    let folder = TempDir::new().expect("a folder");
    // Two pools have nothing in common but the file, as two processes.
    let (one, two) = (pool_in(&folder).await, pool_in(&folder).await);
    let (one, two) = tokio::join!(migrate_sqlite(&one), migrate_sqlite(&two));
    one.expect("one migrates");
    two.expect("the other finds it done");
}

#[tokio::test]
async fn every_way_down_leads_back_to_nothing_and_up_again() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    migrate_sqlite(&pool).await.expect("it migrates");
    let left = write(&pool, |connection| {
        let reverted = connection
            .revert_all_migrations(SQLITE)
            .map(|list| list.len());
        let known: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> =
            SQLITE.migrations().expect("the migrations load");
        assert_eq!(reverted.expect("all can be undone"), known.len());
        connection.columns().expect("the columns load")
    })
    .await;
    assert!(TABLES.iter().all(|table| !left.has_table(table)));
    let again = migrate_sqlite(&pool).await.expect("it migrates again");
    assert_eq!(again.created_tables, TABLES);
}

#[tokio::test]
async fn the_id_of_a_deleted_row_is_not_given_out_again() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    migrate_sqlite(&pool).await.expect("it migrates");
    let is_second = write(&pool, |connection| {
        connection
            .batch_execute(
                "insert into rooms (name) values ('a'); delete from rooms;
                 insert into rooms (name) values ('b');",
            )
            .expect("a row comes and goes, and another comes");
        let row: Answer = sql_query("select id = 2 as answer from rooms")
            .get_result(connection)
            .expect("the second row is there");
        row.answer
    })
    .await;
    assert!(is_second);
}

#[tokio::test]
async fn a_table_of_the_same_name_but_other_columns_is_reported() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    write(&pool, |connection| {
        connection.batch_execute(
            "create table users (id integer, username text, email text);
             create table rooms (id integer, name text, owner_id integer);",
        )
    })
    .await
    .expect("the tables are made");
    let error = migrate_sqlite(&pool)
        .await
        .expect_err("columns are missing");
    assert_eq!(error.code(), "schema_missing");
    let report = error.report();
    assert!(report.contains("column users.hashed_password"), "{report}");
    assert!(report.contains("column rooms.is_private"), "{report}");
    assert!(!report.contains("table "), "{report}");
}

/// Three old messages, of which two are in the first room.
const OLD_MESSAGES: &str = "
    insert into users (username, email, hashed_password) values ('ana', 'a@example.org', '');
    insert into rooms (name) values ('a'), ('b');
    insert into messages (content, sender_id, room_id) values ('', 1, 1), ('', 1, 2), ('', 1, 1);";

async fn numbers(pool: &SqlitePool) -> Vec<String> {
    write(pool, |connection| {
        let rows: Vec<Version> = sql_query(
            "select room_id || ' ' || seq || ' ' || message_id as version
             from message_sequence order by room_id, seq",
        )
        .load(connection)
        .expect("the numbers");
        rows.into_iter().map(|row| row.version).collect()
    })
    .await
}

#[tokio::test]
async fn old_messages_get_the_first_numbers() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    migrate_sqlite(&pool).await.expect("it migrates");
    // Back to before the numbers, with data.
    write(&pool, |connection| {
        while connection.columns().expect("the columns").has_order() {
            connection
                .revert_last_migration(SQLITE)
                .expect("the way down");
        }
        connection.batch_execute(OLD_MESSAGES).expect("the rows");
    })
    .await;
    let report = migrate_sqlite(&pool).await.expect("it migrates");
    assert!(report.additions.order);
    assert_eq!(numbers(&pool).await, ["1 1 1", "1 2 3", "2 1 2"]);
    write(&pool, |connection| {
        connection
            .batch_execute("insert into messages (content, sender_id, room_id) values ('', 1, 1)")
    })
    .await
    .expect("a new message");
    assert_eq!(numbers(&pool).await, ["1 1 1", "1 2 3", "1 3 4", "2 1 2"]);
}

#[tokio::test]
async fn numbering_goes_on_where_it_was_interrupted() {
    let folder = TempDir::new().expect("a folder");
    let pool = pool_in(&folder).await;
    migrate_sqlite(&pool).await.expect("it migrates");
    write(&pool, |connection| {
        connection.batch_execute(OLD_MESSAGES)?;
        connection.batch_execute(
            "delete from message_sequence where room_id = 1;
             update room_sequences set unnumbered = 2 where room_id = 1;
             insert into messages (content, sender_id, room_id) values ('', 1, 1);",
        )
    })
    .await
    .expect("a state half-way");
    assert_eq!(numbers(&pool).await, ["1 3 4", "2 1 2"]);
    migrate_sqlite(&pool).await.expect("it goes on");
    assert_eq!(numbers(&pool).await, ["1 1 1", "1 2 3", "1 3 4", "2 1 2"]);
}
