//! Numbers for messages that are older than the numbers, and who may use them.

use chat_database::{Additions, Database, FileLayout, MessageWriter, Page};
use chat_protocol::ids::{RoomId, UserId};
use tokio_postgres::Client;

use crate::fixture::{PlainRole, TestDatabase, open, wait_until};
use crate::migrations::migrations;
use crate::order::{new_message, store};
use crate::schema::{create_generation_a, create_generation_b, execute, lines};

/// Room, number and id of every message.
async fn numbers(client: &Client) -> Vec<String> {
    let query = "select concat_ws(' ', room_id, seq, message_id) from message_sequence
                 order by room_id, seq";
    lines(client, query).await
}

async fn write(database: &Database, room: i32) -> Option<i64> {
    let writer = MessageWriter::start(database.clone(), false)
        .await
        .expect("a writer");
    let message = new_message(RoomId(room), UserId(1), None);
    let stored = store(&writer, message).await.expect("it is stored");
    writer.flush_and_stop().await;
    stored.seq
}

#[tokio::test]
async fn old_messages_of_both_generations_get_the_first_numbers() {
    for layout in [FileLayout::A, FileLayout::B] {
        let database = TestDatabase::create().await;
        let client = database.client().await;
        match layout {
            FileLayout::A => create_generation_a(&client).await,
            FileLayout::B => create_generation_b(&client).await,
        }
        let opened = database.open().await;
        assert!(opened.numbers_messages());
        assert_eq!(numbers(&client).await, ["1 1 1", "1 2 2", "2 1 3"]);
        assert_eq!(write(&opened, 1).await, Some(3));
        assert_eq!(write(&opened, 3).await, Some(1));
        let page = opened
            .list_messages_after(RoomId(1), 0, None, 10, Vec::new())
            .await
            .expect("a page");
        let contents: Vec<_> = page.iter().map(|message| &*message.content).collect();
        assert_eq!(contents, ["hola", "", "text"]);
    }
}

#[tokio::test]
async fn numbering_goes_on_where_it_was_interrupted() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    let complete = numbers(&client).await;
    // As after the migration, with one room done and new messages in both.
    execute(
        &client,
        "delete from message_sequence where room_id = 1;
         update room_sequences set unnumbered = 2 where room_id = 1;
         insert into messages (content, sender_id, room_id) values ('', 1, 1), ('', 1, 2);",
    )
    .await;
    assert_eq!(numbers(&client).await, ["1 3 4", "2 1 3", "2 2 5"]);
    let opened = database.open().await;
    let mut expected = complete;
    expected.extend(["1 3 4".to_owned(), "2 2 5".to_owned()]);
    expected.sort();
    assert_eq!(numbers(&client).await, expected);
    let left = "select room_id::text from room_sequences where unnumbered > 0";
    assert_eq!(lines(&client, left).await, [""; 0]);
    assert_eq!(write(&opened, 1).await, Some(4));
}

#[tokio::test]
async fn messages_can_be_stored_while_old_ones_are_numbered() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    execute(
        &client,
        "delete from message_sequence; update room_sequences set unnumbered = last_seq;",
    )
    .await;
    // Holds the numbering up before its last step.
    let mut holder = database.client().await;
    let hold = holder.transaction().await.expect("a transaction");
    hold.batch_execute("select from room_sequences where room_id = 1 for update")
        .await
        .expect("the lock");
    let opening = tokio::spawn({
        let url = database.url();
        async move { open(&url).await }
    });
    let waiting = "select 1 from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    wait_until("the numbering waits for the counter", async || {
        !client.query(waiting, &[]).await.expect("a list").is_empty()
    })
    .await;
    // Another room's counter is free, though its old messages are being numbered.
    let insert = "insert into messages (content, sender_id, room_id) values ('', 1, 2)";
    execute(&client, insert).await;
    hold.rollback().await.expect("the lock is given up");
    opening.await.expect("no panic").expect("it opens");
    let expected = ["1 1 1", "1 2 2", "2 1 3", "2 2 4"];
    assert_eq!(numbers(&client).await, expected);
}

/// What a database without the numbers does with messages.
async fn check_that_it_works_without(url: &str) {
    let opened = open(url).await.expect("the tables are there");
    assert!(!opened.numbers_messages());
    let writer = MessageWriter::start(opened.clone(), false)
        .await
        .expect("a writer");
    for _ in 0..2 {
        let message = new_message(RoomId(2), UserId(1), Some("twice"));
        let stored = store(&writer, message).await.expect("it is stored");
        assert_eq!((stored.seq, stored.is_repeat), (None, false));
    }
    let all = Page {
        skip: 0,
        limit: 100,
    };
    let history = opened
        .list_messages(RoomId(2), all, Vec::new())
        .await
        .expect("a history");
    assert!(history.len() >= 3);
    assert!(history.iter().all(|message| message.seq.is_none()));
    let room = RoomId(2);
    let after = opened.list_messages_after(room, 0, None, 9, Vec::new());
    assert_eq!(after.await.expect("a page"), []);
    let before = opened.list_messages_before(room, 9, 9, Vec::new());
    assert_eq!(before.await.expect("a page"), []);
    assert_eq!(opened.find_last_seq(room).await.expect("an answer"), None);
    let more = opened.delete_expired_receipts().await;
    assert!(!more.expect("an answer"));
    writer.flush_and_stop().await;
    opened.close().await;
}

#[tokio::test]
async fn a_role_that_may_not_create_the_tables_works_without_numbers() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    let role = PlainRole::create(&database, &client).await;
    check_that_it_works_without(&role.url).await;

    // Where the migration before was run by somebody else.
    drop(database.open().await);
    let mut migrations = migrations();
    loop {
        let last = migrations.pop().expect("a migration");
        let down = std::fs::read_to_string(last.join("down.sql")).expect("a way down");
        execute(
            &client,
            &format!(
                "{down};
                 delete from __diesel_schema_migrations
                 where version = (select max(version) from __diesel_schema_migrations)"
            ),
        )
        .await;
        if last.ends_with("2026-11-21-000020_add_message_order") {
            break;
        }
    }
    execute(
        &client,
        &format!(
            "grant select on __diesel_schema_migrations to {name};
             grant all on pending_objects, file_thumbnails to {name}",
            name = role.name
        ),
    )
    .await;
    let opened = open(&role.url).await.expect("the tables are there");
    let expected = Additions {
        uploads: true,
        order: false,
        reading: false,
        changes: false,
    };
    assert_eq!(opened.migration().additions, expected);
    opened.close().await;
    check_that_it_works_without(&role.url).await;
    role.remove(&client).await;
}

#[tokio::test]
async fn a_role_without_rights_on_the_tables_is_numbered_by_their_owner() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    let role = PlainRole::create(&database, &client).await;
    let tables = "room_sequences, message_sequence, message_receipts";
    let name = &role.name;
    execute(&client, &format!("revoke all on {tables} from {name}")).await;
    check_that_it_works_without(&role.url).await;
    assert_eq!(
        numbers(&client).await,
        ["1 1 1", "1 2 2", "2 1 3", "2 2 4", "2 3 5"]
    );

    let grant = format!("grant select, insert, update, delete on {tables} to {name}");
    execute(&client, &grant).await;
    let opened = open(&role.url).await.expect("the tables are there");
    assert!(opened.numbers_messages());
    assert_eq!(write(&opened, 2).await, Some(4));
    opened.close().await;
    role.remove(&client).await;
}

#[tokio::test]
async fn a_role_without_rights_on_the_markers_does_not_know_what_was_read() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    let role = PlainRole::create(&database, &client).await;
    for (change, knows_reading) in [
        ("revoke update on read_markers from", false),
        ("grant update on read_markers to", true),
    ] {
        execute(&client, &format!("{change} {}", role.name)).await;
        let opened = open(&role.url).await.expect("the tables are there");
        assert!(opened.numbers_messages());
        assert_eq!(opened.knows_reading(), knows_reading);
        let rooms = opened.list_rooms_of_user(UserId(1)).await.expect("a list");
        assert!(!rooms.is_empty());
        assert!(
            rooms
                .iter()
                .all(|own| own.reading.is_some() == knows_reading)
        );
        let reading = opened.find_reading(UserId(1), RoomId(1)).await;
        assert_eq!(reading.expect("an answer").is_some(), knows_reading);
        let outcomes = opened.advance_read_markers(Vec::new()).await;
        assert_eq!(outcomes.expect("an answer").is_some(), knows_reading);
        opened.close().await;
    }
    role.remove(&client).await;
}

#[tokio::test]
async fn a_role_without_rights_on_the_changes_has_numbers_all_the_same() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    let role = PlainRole::create(&database, &client).await;
    for table in ["change_receipts", "message_changes", "room_changes"] {
        let name = &role.name;
        execute(&client, &format!("revoke all on {table} from {name}")).await;
        let opened = open(&role.url).await.expect("the tables are there");
        assert!(opened.numbers_messages());
        assert!(!opened.changes_messages());
        let page = Page { skip: 0, limit: 9 };
        let history = opened.list_messages(RoomId(1), page, Vec::new()).await;
        assert_eq!(history.expect("a history").len(), 2);
        opened.close().await;
        execute(&client, &format!("grant all on {table} to {name}")).await;
    }
    let opened = open(&role.url).await.expect("the tables are there");
    assert!(opened.changes_messages());
    opened.close().await;
    role.remove(&client).await;
}

#[tokio::test]
async fn without_the_trigger_there_are_no_numbers() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    let disable = "alter table messages disable trigger number_messages";
    execute(&client, disable).await;
    check_that_it_works_without(&database.url()).await;
}

#[tokio::test]
async fn messages_are_numbered_whatever_the_search_path_is() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    execute(
        &client,
        "create schema elsewhere;
         create table elsewhere.room_sequences (room_id integer);
         set search_path = elsewhere;
         create temporary table message_sequence (room_id integer);
         insert into public.messages (content, sender_id, room_id) values ('', 1, 1);
         reset search_path; drop table pg_temp.message_sequence;",
    )
    .await;
    assert_eq!(numbers(&client).await, ["1 1 1", "1 2 2", "1 3 4", "2 1 3"]);
}

#[tokio::test]
async fn an_id_that_is_given_out_again_takes_its_number_along() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    execute(
        &client,
        "truncate messages restart identity;
         insert into messages (content, sender_id, room_id) values ('', 1, 2), ('', 1, 1);",
    )
    .await;
    assert_eq!(numbers(&client).await, ["1 3 2", "2 1 3", "2 2 1"]);
}
