//! Storing and deleting files, and the objects that no row stands for.

use chat_database::{Database, FileRecord, NewFile, NewMessage, Page};
use chat_protocol::ids::{FileId, UserId};
use chrono::{TimeDelta, Utc};

use super::files::switch_to_layout_b;
use super::{ALL, Fixture, code, message, store, submit};

fn new_file(uploader: UserId, name: &str) -> NewFile {
    NewFile {
        original_filename: format!("el {name}"),
        object_key: format!("2026/11/21/{name}"),
        file_size: 5,
        content_type: "text/plain".to_owned(),
        public_url: format!("http://files/2026/11/21/{name}"),
        uploader_id: uploader,
    }
}

async fn insert(database: &Database, files: Vec<NewFile>) -> Vec<FileRecord> {
    database.insert_files(files).await.expect("new files")
}

async fn announce(database: &Database, key: &str, due_in_seconds: i64) {
    let due_at = Utc::now() + TimeDelta::seconds(due_in_seconds);
    database
        .announce_object(key.to_owned(), due_at)
        .await
        .expect("an announcement");
}

async fn due(database: &Database) -> Vec<String> {
    database.list_due_objects(100).await.expect("a list")
}

#[tokio::test]
async fn a_file_is_stored_and_its_object_is_no_longer_announced() {
    let fixture = Fixture::new().await;
    let uploader = fixture.user("uploader").await.id;
    let database = &fixture.database;
    announce(database, "2026/11/21/a.txt", -1).await;
    announce(database, "2026/11/21/b.txt", -1).await;
    announce(database, "2026/11/21/left.txt", -1).await;
    let files = ["a.txt", "b.txt"].map(|name| new_file(uploader, name));
    let records = insert(database, files.to_vec()).await;
    assert_eq!(due(database).await, ["2026/11/21/left.txt"]);
    let names: Vec<_> = records.iter().map(|file| &*file.stored_filename).collect();
    assert_eq!(names, ["a.txt", "b.txt"]);
    let found = database.find_file(records[0].id).await.expect("an answer");
    assert_eq!(found.expect("the file").file, records[0]);
}

#[tokio::test]
async fn files_are_stored_all_or_none() {
    let fixture = Fixture::new().await;
    let uploader = fixture.user("uploader").await.id;
    let files = vec![new_file(uploader, "a.txt"), new_file(UserId(99), "b.txt")];
    assert!(fixture.database.insert_files(files).await.is_err());
    let left = fixture.database.list_files_of_user(uploader, ALL).await;
    assert_eq!(left.expect("a list"), []);
}

#[tokio::test]
async fn objects_become_due_with_time_or_all_at_once() {
    let fixture = Fixture::new().await;
    let database = &fixture.database;
    announce(database, "later", 3600).await;
    announce(database, "long ago", -60).await;
    announce(database, "just now", -1).await;
    assert_eq!(due(database).await, ["long ago", "just now"]);
    assert_eq!(database.list_due_objects(1).await.expect("a list").len(), 1);
    // Once more moves the time.
    announce(database, "long ago", 60).await;
    assert_eq!(due(database).await, ["just now"]);
    database.make_all_objects_due().await.expect("it works");
    assert_eq!(due(database).await.len(), 3);
    let all = due(database).await;
    database.forget_objects(all).await.expect("it works");
    assert_eq!(due(database).await, [""; 0]);
}

#[tokio::test]
async fn a_deleted_file_leaves_its_messages_and_announces_its_objects() {
    let mut fixture = Fixture::new().await;
    for switched in [false, true] {
        if switched {
            switch_to_layout_b(&mut fixture).await;
        }
        let suffix = if switched { "b" } else { "a" };
        let uploader = fixture.user(&format!("uploader {suffix}")).await.id;
        let room = fixture.room(uploader, false).await.room.id;
        let database = &fixture.database;
        let file = insert(database, vec![new_file(uploader, suffix)])
            .await
            .remove(0);
        assert_eq!(file.stored_filename, suffix);
        assert!(database.add_thumbnail(file.id).await.expect("it is noted"));
        assert!(database.add_thumbnail(file.id).await.expect("once more"));
        let found = database.find_file(file.id).await.expect("an answer");
        assert!(found.expect("the file").file.has_thumbnail);
        let writer = fixture.writer().await;
        for _ in 0..2 {
            let carrying = NewMessage {
                file_id: Some(file.id),
                ..message(room, uploader, "with a file")
            };
            store(&writer, carrying).await;
        }
        let keys = vec![format!("key {suffix}"), format!("thumbnail {suffix}")];
        database
            .delete_file(file.id, keys.clone())
            .await
            .expect("it is deleted");
        let history = database
            .list_messages(room, ALL, Vec::new())
            .await
            .expect("a history");
        assert_eq!(history.len(), 2);
        assert!(history.iter().all(|message| message.file.is_none()));
        let due = due(database).await;
        assert!(keys.iter().all(|key| due.contains(key)), "{due:?}");
        assert_eq!(
            code(database.delete_file(file.id, keys).await),
            "file_not_found"
        );
        assert!(!database.add_thumbnail(file.id).await.expect("an answer"));
        writer.flush_and_stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_can_be_deleted_while_it_is_being_sent() {
    let fixture = Fixture::new().await;
    let uploader = fixture.user("uploader").await.id;
    let room = fixture.room(uploader, false).await.room.id;
    let writer = fixture.writer().await;
    for round in 0..10 {
        let database = fixture.database.clone();
        let new = new_file(uploader, &format!("{round}.txt"));
        let file: FileId = insert(&database, vec![new]).await[0].id;
        let mut answers = Vec::new();
        for _ in 0..20 {
            let carrying = NewMessage {
                file_id: Some(file),
                ..message(room, uploader, "with a file")
            };
            answers.push(submit(&writer, carrying).await);
        }
        database
            .delete_file(file, Vec::new())
            .await
            .expect("it is deleted");
        for answer in answers {
            if let Err(error) = answer.await.expect("an answer") {
                assert_eq!(error.code(), "file_not_found");
            }
        }
    }
    let page = Page {
        skip: 0,
        limit: 1000,
    };
    let history = fixture
        .database
        .list_messages(room, page, Vec::new())
        .await
        .expect("a history");
    assert!(history.iter().all(|message| message.file.is_none()));
    writer.flush_and_stop().await;
}
