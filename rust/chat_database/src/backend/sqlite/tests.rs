//! How SQLite finds the rows of a page of messages.

use std::sync::{Arc, Mutex};

use chat_protocol::ids::RoomId;
use diesel::connection::{Connection as _, InstrumentationEvent};
use diesel::sql_types::Text;
use diesel::{QueryableByName, SqliteConnection, sql_query};
use tempfile::TempDir;

use super::queries::messages;
use super::run_to_end;
use crate::database::FileTables;
use crate::migrations::{FileLayout, migrate_sqlite};
use crate::models::Page;
use crate::sqlite::{SqliteAccess, SqlitePool};
use crate::url::SqliteUrl;

const ROOM: RoomId = RoomId(1);
const TABLES: FileTables = FileTables {
    layout: FileLayout::A,
    has_additions: true,
    has_changes: true,
};

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The plans of the queries that `work` runs.
async fn plans(work: impl FnOnce(&mut SqliteConnection) + Send + 'static) -> Vec<String> {
    let folder = TempDir::new().expect("a folder");
    let url = SqliteUrl::new(folder.path().join("chat.db"));
    let pool = SqlitePool::open(&url, 1).await.expect("the pool opens");
    migrate_sqlite(&pool).await.expect("it migrates");
    pool.run(SqliteAccess::Write, |connection| {
        let queries: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&queries);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                seen.lock().expect("no panic").push(query.to_string());
            }
        });
        work(connection);
        let queries = std::mem::take(&mut *queries.lock().expect("no panic"));
        queries
            .into_iter()
            .flat_map(|query| {
                let explained = sql_query(format!("explain query plan {query}"));
                let steps: Vec<Step> =
                    diesel::RunQueryDsl::load(explained, connection).expect("a plan");
                steps
            })
            .map(|step| step.detail)
            .collect()
    })
    .await
    .expect("the pool works")
}

#[tokio::test]
async fn pages_by_number_are_found_by_the_index() {
    let plan = plans(|connection| {
        let after = messages::list_after(connection, TABLES, ROOM, 7, i64::MAX, 50, &[]);
        run_to_end(after).expect("a page");
        let before = messages::list_before(connection, TABLES, ROOM, 1000, 50, &[]);
        run_to_end(before).expect("a page");
    })
    .await;
    let range = "SEARCH message_sequence USING PRIMARY KEY (room_id=? AND seq>? AND seq<?)";
    let message = "SEARCH messages USING INTEGER PRIMARY KEY (rowid=?)";
    let change = "SEARCH message_changes USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN";
    let last = "SEARCH room_sequences USING INTEGER PRIMARY KEY (rowid=?)";
    let expected: [&[&str]; 4] = [
        // After: the window, and the end of the room.
        &[range, message, change],
        &["CO-ROUTINE page", range, message, "SCAN page", change],
        // Before: beyond the last number, which is looked up then.
        &[range, message, change, last],
        &[range, message, change],
    ];
    assert_eq!(plan, expected.concat());
}

#[tokio::test]
async fn a_page_of_the_history_is_found_and_numbered_by_indexes() {
    let plan = plans(|connection| {
        let page = Page { skip: 0, limit: 50 };
        let page = messages::list(connection, TABLES, true, ROOM, page, &[]);
        run_to_end(page).expect("a page");
    })
    .await;
    let plan = plan.join("\n");
    assert!(
        plan.contains("ix_messages_room_id_created_at_id (room_id=?)"),
        "{plan}"
    );
    assert!(plan.contains("message_sequence USING"), "{plan}");
    assert!(plan.contains("SEARCH message_changes USING"), "{plan}");
    assert!(
        !plan.contains("SCAN messages") && !plan.contains("SCAN message_sequence"),
        "{plan}"
    );
}
