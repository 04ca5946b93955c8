//! Reads beside writers: what several statements read has to fit together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_database::{Alteration, Database, NewChange, StoredMessage};
use chat_protocol::ids::{RoomId, UserId};
use tokio::task::JoinSet;

use super::{Fixture, message, store, submit};

const MESSAGES: i64 = 1500;

fn seqs(messages: &[StoredMessage]) -> Vec<i64> {
    messages
        .iter()
        .map(|message| message.seq.expect("a number"))
        .collect()
}

impl Fixture {
    /// Fills a room with [`MESSAGES`], some of them at once.
    async fn fill(&self, room: RoomId, sender: UserId) {
        let writer = self.writer().await;
        let mut waiting = Vec::new();
        for number in 0..MESSAGES {
            waiting.push(submit(&writer, message(room, sender, "")).await);
            if number % 3 == 0 {
                for answer in waiting.drain(..) {
                    answer.await.expect("an answer").expect("it is stored");
                }
            }
        }
        writer.flush_and_stop().await;
    }
}

/// Pages on until the last message.
async fn follow(database: Database, room: RoomId, limit: i64) {
    let mut last = 0;
    while last < MESSAGES {
        let page = database
            .list_messages_after(room, last, None, limit, Vec::new())
            .await;
        let page = seqs(&page.expect("a page"));
        let expected: Vec<i64> = (last + 1..).take(page.len()).collect();
        assert_eq!(page, expected, "after {last}, {limit} at most");
        last += page.len() as i64;
    }
}

/// Reads the newest messages until the room is full.
async fn watch(database: Database, room: RoomId, limit: i64) {
    let mut last = 0;
    while last < MESSAGES {
        let before = database.find_last_seq(room).await.expect("an answer");
        let page = database
            .list_messages_before(room, i64::MAX, limit, Vec::new())
            .await;
        let page = seqs(&page.expect("a page"));
        last = page.first().copied().unwrap_or(0);
        assert!(Some(last) >= before, "{last} is older than {before:?}");
        let expected: Vec<i64> = (1..=last).rev().take(page.len()).collect();
        assert_eq!(page, expected, "{limit} at most");
        assert_eq!(page.len() as i64, limit.min(last));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_by_number_have_no_holes_while_others_write() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let mut readers = JoinSet::new();
    for limit in [2, 10, 100] {
        readers.spawn(follow(fixture.database.clone(), room, limit));
    }
    readers.spawn(watch(fixture.database.clone(), room, 10));
    fixture.fill(room, ana).await;
    while let Some(done) = readers.join_next().await {
        done.expect("no hole");
    }
}

/// As the fetcher between processes reads: what is stored up to a position that was read
/// before is among what is read afterwards, the changes too.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_up_to_a_position_is_complete() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let first = store(&writer, message(room, ana, "")).await.id;
    let database = fixture.database.clone();
    let is_done = Arc::new(AtomicBool::new(false));
    let changer = tokio::spawn({
        let (database, is_done) = (database.clone(), Arc::clone(&is_done));
        async move {
            let mut number = 0;
            while !is_done.load(Ordering::Relaxed) {
                number += 1;
                let change = NewChange {
                    room_id: room,
                    user_id: ana,
                    message_id: first,
                    alteration: Alteration::Edit {
                        content: number.to_string(),
                    },
                    client_id: None,
                };
                database
                    .change_messages(vec![change])
                    .await
                    .expect("a change");
            }
            number
        }
    });
    let reader = tokio::spawn({
        let is_done = Arc::clone(&is_done);
        async move {
            let mut reads = 0;
            while !is_done.load(Ordering::Relaxed) {
                let newest = database.find_newest_places(&[room]).await;
                let newest = newest.expect("positions")[&room];
                let messages = database
                    .list_messages_after(room, 0, None, 2 * MESSAGES, Vec::new())
                    .await
                    .expect("messages");
                let changes = database.list_changes_after(room, 0, 9).await;
                let changes = changes.expect("changes");
                assert!(messages.len() as i64 >= newest.seq.0);
                let change = changes.last().map_or(0, |change| change.change);
                assert!(change >= newest.change.expect("changes").0);
                let tail = database.list_newest_changes(room, 9).await;
                assert!(tail.expect("changes").last >= change);
                reads += 1;
            }
            reads
        }
    });
    fixture.fill(room, ana).await;
    is_done.store(true, Ordering::Relaxed);
    assert!(changer.await.expect("no panic") > 0);
    assert!(reader.await.expect("complete") > 0);
    writer.flush_and_stop().await;
}

/// A room is handed from one user to the other, with the membership: at every moment one of
/// them has access.
#[tokio::test(flavor = "multi_thread")]
async fn the_check_of_access_sees_one_state() {
    let fixture = Fixture::new().await;
    let (ana, bo) = (fixture.user("ana").await.id, fixture.user("bo").await.id);
    let room = fixture.room(ana, true).await.room.id;
    let database = fixture.database.clone();
    let is_done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let is_done = Arc::clone(&is_done);
        async move {
            while !is_done.load(Ordering::Relaxed) {
                let lost = database
                    .find_lost_access(vec![(ana, room), (bo, room)])
                    .await
                    .expect("a check");
                assert_eq!(lost.len(), 1, "one of them owns the room: {lost:?}");
            }
        }
    });
    for round in 0..300 {
        let new = if round % 2 == 0 { bo } else { ana };
        fixture
            .execute(&format!(
                "begin;
                 update rooms set owner_id = {new} where id = {room};
                 update user_rooms set user_id = {new} where room_id = {room};
                 commit;"
            ))
            .await;
    }
    is_done.store(true, Ordering::Relaxed);
    reader.await.expect("one state");
}
