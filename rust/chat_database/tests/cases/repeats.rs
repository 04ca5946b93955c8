//! Messages that their sender has named, and sends again.

use chat_database::{Database, DatabaseConfig, MessageWriter, NewMessage, Stored};
use chat_protocol::ids::{FileId, RoomId, UserId};
use chrono::{TimeDelta, Utc};

use super::writer::Plug;
use super::{Fixture, code, message, named, store, submit};

/// Two users in two rooms, and a writer.
struct Scene {
    fixture: Fixture,
    ana: UserId,
    bo: UserId,
    room: RoomId,
    other: RoomId,
    writer: MessageWriter,
}

impl Scene {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let ana = fixture.user("ana").await.id;
        let bo = fixture.user("bo").await.id;
        let room = fixture.room(ana, false).await.room.id;
        let other = fixture.room(ana, false).await.room.id;
        let writer = fixture.writer().await;
        Self {
            fixture,
            ana,
            bo,
            room,
            other,
            writer,
        }
    }

    async fn store(&self, message: NewMessage) -> Stored {
        store(&self.writer, message).await
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table}");
        self.fixture.place.count(&sql).await
    }
}

/// What a repeat is answered with.
fn again(first: &Stored) -> Stored {
    Stored {
        is_repeat: true,
        ..first.clone()
    }
}

#[tokio::test]
async fn a_named_message_is_stored_once_and_answered_with_the_first() {
    let scene = Scene::new().await;
    let Scene { ana, room, .. } = scene;
    scene
        .fixture
        .execute(&format!(
            "insert into file_uploads (id, original_filename, stored_filename, file_size,
                 content_type, public_url, uploader_id)
             values (5, 'a.txt', 'x.txt', 3, 'text/plain', 'http://files/x.txt', {ana});"
        ))
        .await;
    let with_file = NewMessage {
        file_id: Some(FileId(5)),
        ..named(room, ana, "a", "first")
    };
    let first = scene.store(with_file).await;
    assert!(!first.is_repeat);
    assert_eq!(first.seq, Some(1));
    let between = scene.store(named(room, ana, "b", "between")).await;
    assert_eq!((between.seq, between.is_repeat), (Some(2), false));
    for content in ["first", "something else"] {
        let repeat = scene.store(named(room, ana, "a", content)).await;
        assert_eq!(repeat, again(&first));
        assert_eq!(repeat.content, "first");
    }
    assert_eq!(scene.store(message(room, ana, "")).await.seq, Some(3));
    assert_eq!(scene.count("messages").await, 3);
}

#[tokio::test]
async fn another_connection_finds_the_first_one_too() {
    let scene = Scene::new().await;
    let (room, ana) = (scene.room, scene.ana);
    let first = scene.store(named(room, ana, "a", "")).await;
    let elsewhere = Database::connect(DatabaseConfig {
        url: scene.fixture.place.url(),
        pool_size: 1,
    })
    .await
    .expect("the database opens");
    let writer = MessageWriter::start(elsewhere.clone(), false)
        .await
        .expect("a writer");
    assert_eq!(
        store(&writer, named(room, ana, "a", "")).await,
        again(&first)
    );
    writer.flush_and_stop().await;
    elsewhere.close().await;
}

#[tokio::test]
async fn a_name_is_its_senders_in_one_room() {
    let scene = Scene::new().await;
    let Scene {
        ana,
        bo,
        room,
        other,
        ..
    } = scene;
    for (room, sender, name) in [
        (room, ana, "a"),
        (other, ana, "a"),
        (room, bo, "a"),
        (room, ana, "A"),
        (room, ana, ""),
    ] {
        let stored = scene.store(named(room, sender, name, "")).await;
        assert!(!stored.is_repeat);
        let repeat = scene.store(named(room, sender, name, "")).await;
        assert_eq!(repeat, again(&stored));
    }
    assert_eq!(scene.count("messages").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_in_one_group_share_the_message() {
    let scene = Scene::new().await;
    let Scene { ana, bo, room, .. } = scene;
    let old = scene.store(named(room, ana, "old", "")).await;
    let plug = Plug::insert(&scene.writer, message(room, ana, "plug")).await;
    let mut answers = Vec::new();
    for submitted in [
        named(room, ana, "old", ""),
        named(room, ana, "x", "x1"),
        message(room, ana, "unnamed"),
        named(room, ana, "x", "x2"),
        named(room, bo, "x", "bo's"),
        named(room, ana, "old", ""),
        message(room, ana, "unnamed"),
        named(room, ana, "x", "x3"),
    ] {
        answers.push(submit(&scene.writer, submitted).await);
    }
    drop(plug);
    let mut stored = Vec::new();
    for answer in answers {
        stored.push(answer.await.expect("an answer").expect("it is stored"));
    }
    assert_eq!(stored[0], again(&old));
    assert_eq!(stored[5], again(&old));
    assert_eq!(stored[3], again(&stored[1]));
    assert_eq!(stored[7], again(&stored[1]));
    assert_eq!(stored[1].content, "x1");
    let new: Vec<&Stored> = stored.iter().filter(|stored| !stored.is_repeat).collect();
    assert!(new.is_sorted_by(|a, b| a.id < b.id && a.created_at < b.created_at));
    let seqs: Vec<_> = new.iter().map(|stored| stored.seq).collect();
    assert_eq!(seqs, [3, 4, 5, 6].map(Some));
    assert_eq!(scene.count("messages").await, 6);
    assert_eq!(scene.count("message_receipts").await, 3);
}

#[tokio::test]
async fn after_a_day_a_name_is_free_again() {
    let scene = Scene::new().await;
    let (room, ana) = (scene.room, scene.ana);
    let first = scene.store(named(room, ana, "a", "")).await;
    let age = async |minutes| {
        let time = Utc::now() - TimeDelta::minutes(minutes);
        let time = time.format("%F %T%.6f+00:00");
        let sql = format!("update message_receipts set created_at = '{time}'");
        scene.fixture.execute(&sql).await;
    };
    age(24 * 60 - 1).await;
    let repeat = scene.store(named(room, ana, "a", "")).await;
    assert_eq!((repeat.id, repeat.is_repeat), (first.id, true));
    age(24 * 60 + 1).await;
    let second = scene.store(named(room, ana, "a", "")).await;
    assert_eq!((second.seq, second.is_repeat), (Some(2), false));
    assert_eq!(scene.store(named(room, ana, "a", "")).await, again(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_message_that_fails_keeps_no_name_and_hurts_no_other() {
    let scene = Scene::new().await;
    let Scene { ana, room, .. } = scene;
    let plug = Plug::insert(&scene.writer, message(room, ana, "")).await;
    let mut answers = Vec::new();
    for number in 0..20 {
        let name = number.to_string();
        let good = named(room, ana, &name, &name);
        let submitted = match number {
            3 => named(RoomId(99), ana, "lost", ""),
            4 => NewMessage {
                file_id: Some(FileId(99)),
                ..good
            },
            // The same as the one before.
            5 => NewMessage {
                file_id: Some(FileId(99)),
                ..named(room, ana, "4", "")
            },
            _ => good,
        };
        answers.push(submit(&scene.writer, submitted).await);
    }
    drop(plug);
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = answer.await.expect("an answer");
        match number {
            3 => assert_eq!(code(answer), "room_not_found"),
            4 | 5 => assert_eq!(code(answer), "file_not_found"),
            _ => assert!(!answer.expect("it is stored").is_repeat),
        }
    }
    assert_eq!(scene.count("messages").await, 18);
    assert_eq!(scene.count("message_receipts").await, 17);
    let retried = scene.store(named(room, ana, "4", "without the file")).await;
    assert_eq!((retried.seq, retried.is_repeat), (Some(19), false));
}

#[tokio::test]
async fn old_receipts_are_deleted_bit_by_bit() {
    let scene = Scene::new().await;
    let (room, ana) = (scene.room, scene.ana);
    let fresh = scene.store(named(room, ana, "fresh", "")).await;
    let numbers = "with recursive numbers (number) as (
        select 0 union all select number + 1 from numbers where number < 2499)";
    let microseconds = "substr(cast(1000000 + number as text), 2)";
    scene
        .fixture
        .execute(&format!(
            "{numbers} insert into message_receipts
             select {ana}, {room}, 'old ' || number, 1, {}
             from numbers",
            crate::back_end::time(&format!(
                "'2026-01-01 00:00:00.' || {microseconds} || '+00:00'"
            ))
        ))
        .await;
    let mut rounds = 1;
    while scene
        .fixture
        .database
        .delete_expired_receipts()
        .await
        .expect("it works")
    {
        rounds += 1;
    }
    assert_eq!(rounds, 3);
    assert_eq!(scene.count("message_receipts").await, 1);
    let repeat = scene.store(named(room, ana, "fresh", "")).await;
    assert_eq!(repeat, again(&fresh));
}
