//! The group-commit writer.

use std::sync::{Arc, Mutex, mpsc};

use chat_database::{MessageWriter, NewMessage, Stored};
use chat_protocol::ids::{FileId, MessageId, RoomId, UserId};
use chrono::{TimeDelta, Utc};

use super::{ALL, Fixture, code, message, store, submit};

/// Keeps the writer busy with one message until dropped, so that what is
/// submitted meanwhile is stored as a group.
pub(crate) struct Plug {
    _release: mpsc::Sender<()>,
}

impl Plug {
    pub(crate) async fn insert(writer: &MessageWriter, first: NewMessage) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let (told, has_begun) = tokio::sync::oneshot::channel();
        let on_stored = Box::new(move |_| {
            let _ = told.send(());
            let _ = released.recv();
        });
        writer.submit(first, on_stored).await;
        has_begun.await.expect("the writer works on it");
        Self { _release: release }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_submitters_at_once_are_answered_in_the_stored_order() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let answers: Arc<Mutex<Vec<Stored>>> = Arc::default();
    let submitters: Vec<_> = (0..40)
        .map(|submitter| {
            let (writer, answers) = (writer.clone(), Arc::clone(&answers));
            tokio::spawn(async move {
                for number in 0..25 {
                    let answers = Arc::clone(&answers);
                    let on_stored = Box::new(move |stored: Result<Stored, _>| {
                        let stored = stored.expect("the message is stored");
                        answers.lock().expect("no panic").push(stored);
                    });
                    let text = format!("{submitter} {number}");
                    writer.submit(message(room, ana, &text), on_stored).await;
                }
            })
        })
        .collect();
    for submitter in submitters {
        submitter.await.expect("no panic");
    }
    writer.flush_and_stop().await;

    let answers = answers.lock().expect("no panic").clone();
    assert_eq!(answers.len(), 1000);
    assert!(answers.is_sorted_by(|a, b| a.id < b.id && a.created_at < b.created_at));
    for submitter in 0..40 {
        let prefix = format!("{submitter} ");
        let own = answers
            .iter()
            .filter_map(|stored| stored.content.strip_prefix(&prefix));
        let own: Vec<usize> = own
            .map(|number| number.parse().expect("a number"))
            .collect();
        assert_eq!(own, (0..25).collect::<Vec<_>>());
    }

    let history = fixture.database.list_messages(room, ALL, Vec::new()).await;
    let history = history.expect("a history").into_iter().rev();
    let stored = answers.into_iter();
    assert!(
        history
            .map(|message| (message.id, message.content))
            .eq(stored.map(|stored| (stored.id, stored.content)))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_only_the_culprits_fail() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let plug = Plug::insert(&writer, message(room, ana, "first")).await;
    let mut answers = Vec::new();
    for number in 0..20 {
        let good = message(room, ana, &number.to_string());
        let submitted = match number {
            3 => message(RoomId(99), ana, ""),
            4 => message(room, UserId(99), ""),
            11 => NewMessage {
                file_id: Some(FileId(99)),
                ..good
            },
            _ => good,
        };
        answers.push(submit(&writer, submitted).await);
    }
    drop(plug);
    let mut stored: Vec<MessageId> = Vec::new();
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = answer.await.expect("an answer");
        match number {
            3 => assert_eq!(code(answer), "room_not_found"),
            4 => assert_eq!(code(answer), "user_not_found"),
            11 => assert_eq!(code(answer), "file_not_found"),
            _ => stored.push(answer.expect("the message is stored").id),
        }
    }
    assert!(stored.is_sorted());
    assert_eq!(stored.len(), 17);
    let rows = fixture.place.count("select count(*) from messages").await;
    assert_eq!(rows, 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_panics_hurts_nobody_else() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let plug = Plug::insert(&writer, message(room, ana, "")).await;
    let panics = Box::new(|_| panic!("on purpose"));
    writer.submit(message(room, ana, ""), panics).await;
    let next = submit(&writer, message(room, ana, "next")).await;
    drop(plug);
    next.await.expect("an answer").expect("it is stored");
    store(&writer, message(room, ana, "another group")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_stores_what_was_accepted_and_refuses_the_rest() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let plug = Plug::insert(&writer, message(room, ana, "")).await;
    let mut answers = Vec::new();
    for _ in 0..600 {
        answers.push(submit(&writer, message(room, ana, "")).await);
    }
    drop(plug);
    writer.flush_and_stop().await;
    for mut answer in answers {
        let answer = answer.try_recv().expect("it was answered before");
        answer.expect("it is stored");
    }
    let late = submit(&writer, message(room, ana, "late")).await;
    assert_eq!(code(late.await.expect("an answer")), "database_unavailable");
    writer.flush_and_stop().await;
    let rows = fixture.place.count("select count(*) from messages").await;
    assert_eq!(rows, 601);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_handles_the_writer_stores_what_it_accepted() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let plug = Plug::insert(&writer, message(room, ana, "")).await;
    let answer = submit(&writer, message(room, ana, "last")).await;
    drop(writer);
    drop(plug);
    answer.await.expect("an answer").expect("it is stored");
}

#[tokio::test]
async fn times_continue_after_those_of_an_earlier_run() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let ahead = Utc::now() + TimeDelta::seconds(30);
    fixture
        .execute(&format!(
            "insert into messages (content, sender_id, room_id, created_at)
             values ('from a clock ahead', {ana}, {room}, '{}');",
            ahead.format("%F %T%.6f+00:00")
        ))
        .await;
    let writer = fixture.writer().await;
    let stored = store(&writer, message(room, ana, "")).await;
    assert!(stored.created_at > ahead - TimeDelta::microseconds(1));
    let history = fixture.database.list_messages(room, ALL, Vec::new()).await;
    assert_eq!(history.expect("a history")[0].id, stored.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_database_answers_unavailable() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let plug = Plug::insert(&writer, message(room, ana, "")).await;
    let mut answers = Vec::new();
    for _ in 0..1000 {
        answers.push(submit(&writer, message(room, ana, "")).await);
    }
    fixture.database.close().await;
    drop(plug);
    for answer in answers {
        assert_eq!(
            code(answer.await.expect("an answer")),
            "database_unavailable"
        );
    }
}
