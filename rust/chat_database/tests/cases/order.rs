//! The numbers of messages, and pages by number.

use chat_database::{NewMessage, Page, StoredMessage};
use chat_protocol::ids::{FileId, RoomId};

use super::{ALL, Fixture, message, store};

const LATE: &str = "insert into messages (content, sender_id, room_id) values";

fn seqs(messages: &[StoredMessage]) -> Vec<i64> {
    messages
        .iter()
        .map(|message| message.seq.expect("a number"))
        .collect()
}

impl Fixture {
    async fn after(&self, room: RoomId, after: i64, limit: i64) -> Vec<i64> {
        let page = self
            .database
            .list_messages_after(room, after, None, limit, Vec::new());
        seqs(&page.await.expect("a page"))
    }

    async fn before(&self, room: RoomId, before: i64, limit: i64) -> Vec<i64> {
        let page = self
            .database
            .list_messages_before(room, before, limit, Vec::new());
        seqs(&page.await.expect("a page"))
    }
}

#[tokio::test]
async fn every_room_counts_its_messages_from_one_whoever_writes_them() {
    let fixture = Fixture::new().await;
    assert!(fixture.database.numbers_messages());
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let other = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    for expected in [1, 2] {
        assert_eq!(
            store(&writer, message(room, ana, "")).await.seq,
            Some(expected)
        );
    }
    assert_eq!(store(&writer, message(other, ana, "")).await.seq, Some(1));
    // As a process of the original does, one and several at once.
    let rows =
        format!("{LATE} ('', {ana}, {room}); {LATE} ('', {ana}, {room}), ('', {ana}, {other})");
    fixture.execute(&rows).await;
    assert_eq!(store(&writer, message(room, ana, "")).await.seq, Some(5));
    assert_eq!(store(&writer, message(other, ana, "")).await.seq, Some(3));

    let history = fixture.database.list_messages(room, ALL, Vec::new()).await;
    let mut numbers = seqs(&history.expect("a history"));
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    for (room, last) in [(room, 5), (other, 3), (RoomId(99), 0)] {
        let found = fixture.database.find_last_seq(room).await;
        assert_eq!(found.expect("an answer"), Some(last));
    }
}

#[tokio::test]
async fn a_message_that_was_not_stored_leaves_no_gap() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    store(&writer, message(room, ana, "")).await;
    let insert = format!("{LATE} ('', {ana}, {room});");
    fixture
        .execute(&format!("begin; {insert} {insert} rollback;"))
        .await;
    assert_eq!(store(&writer, message(room, ana, "")).await.seq, Some(2));
}

#[tokio::test]
async fn a_page_of_the_history_has_the_numbers_of_its_messages() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    for _ in 0..10 {
        store(&writer, message(room, ana, "")).await;
    }
    let page = Page { skip: 3, limit: 4 };
    let page = fixture.database.list_messages(room, page, Vec::new()).await;
    assert_eq!(seqs(&page.expect("a history")), [7, 6, 5, 4]);
}

#[tokio::test]
async fn pages_by_number_go_both_ways() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let other = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    for _ in 0..9 {
        store(&writer, message(other, ana, "elsewhere")).await;
        store(&writer, message(room, ana, "")).await;
    }
    assert_eq!(fixture.after(room, 0, 3).await, [1, 2, 3]);
    assert_eq!(fixture.after(room, 3, 3).await, [4, 5, 6]);
    assert_eq!(fixture.after(room, 7, 3).await, [8, 9]);
    assert_eq!(fixture.after(room, 9, 3).await, [0; 0]);
    assert_eq!(fixture.after(room, -5, 1).await, [1]);
    assert_eq!(fixture.after(room, i64::MAX, 3).await, [0; 0]);
    assert_eq!(fixture.before(room, 10, 3).await, [9, 8, 7]);
    assert_eq!(fixture.before(room, i64::MAX, 2).await, [9, 8]);
    assert_eq!(fixture.before(room, 3, 3).await, [2, 1]);
    assert_eq!(fixture.before(room, 1, 3).await, [0; 0]);
    assert_eq!(fixture.after(room, 0, 0).await, [0; 0]);
    assert_eq!(fixture.before(room, 9, -1).await, [0; 0]);
    assert_eq!(fixture.after(RoomId(99), 0, 3).await, [0; 0]);
    let bounded = fixture
        .database
        .list_messages_after(room, 2, Some(4), 100, Vec::new());
    assert_eq!(seqs(&bounded.await.expect("a page")), [3, 4]);
}

#[tokio::test]
async fn pages_by_number_do_not_move_when_messages_come() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let write = async || {
        store(&writer, message(room, ana, "")).await;
    };
    for _ in 0..10 {
        write().await;
    }
    let (mut forwards, mut backwards) = (Vec::new(), vec![11]);
    loop {
        let page = fixture.after(room, forwards.len() as i64, 2).await;
        forwards.extend(page);
        let page = fixture
            .before(room, backwards[backwards.len() - 1], 2)
            .await;
        if page.is_empty() {
            break;
        }
        backwards.extend(page);
        write().await;
    }
    assert_eq!(forwards, (1..=12).collect::<Vec<_>>());
    assert_eq!(backwards, (1..=11).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_by_number_is_complete_and_passes_over_what_was_deleted() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let bo = fixture.user("bo").await;
    let room = fixture.room(ana.id, false).await.room.id;
    fixture
        .execute(&format!(
            "insert into file_uploads (id, original_filename, stored_filename, file_size,
                 content_type, public_url, uploader_id)
             values (5, 'a.txt', 'x.txt', 3, 'text/plain', 'http://files/x.txt', {});",
            ana.id
        ))
        .await;
    let writer = fixture.writer().await;
    let with_file = NewMessage {
        file_id: Some(FileId(5)),
        ..message(room, bo.id, "with")
    };
    let first = store(&writer, with_file).await;
    assert!(!first.is_repeat);
    let gone = store(&writer, message(room, ana.id, "gone")).await.id;
    for _ in 0..3 {
        store(&writer, message(room, ana.id, "")).await;
    }
    fixture
        .execute(&format!("delete from messages where id = {gone}"))
        .await;

    let page = fixture
        .database
        .list_messages_after(room, 0, None, 3, Vec::new())
        .await
        .expect("a page");
    assert_eq!(seqs(&page), [1, 3, 4]);
    assert_eq!(page[0].id, first.id);
    assert_eq!(page[0].content, "with");
    assert_eq!(page[0].room_id, room);
    assert_eq!(page[0].sender.as_ref(), &bo);
    assert_eq!(page[0].created_at, Some(first.created_at));
    let details = page[0].file.as_ref().expect("a file");
    assert_eq!(details.file.id, FileId(5));
    assert_eq!(page[1].sender.as_ref(), &ana);
    assert_eq!(page[1].file, None);
    assert_eq!(fixture.before(room, 4, 2).await, [3, 1]);
}
