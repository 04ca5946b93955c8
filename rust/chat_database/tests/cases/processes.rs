//! Several processes on one database.

use std::time::Duration;

use chat_database::{Alteration, Claim, Database, MessageWriter, NewChange, Stored};
use chat_protocol::Position;
use chat_protocol::ids::{Change, RoomId, Seq};
use tokio::time::timeout;

use super::{Fixture, message, named, open, store, submit};

const MESSAGES: usize = 400;

async fn writer(database: &Database) -> MessageWriter {
    let writer = MessageWriter::start(database.clone(), true).await;
    writer.expect("a writer")
}

/// Stores as fast as it goes in two rooms in turn, every third message with a name.
async fn write(
    writer: MessageWriter,
    rooms: [RoomId; 2],
    sender: chat_protocol::ids::UserId,
    is_first: bool,
) -> Vec<(RoomId, Stored)> {
    let mut waiting = Vec::new();
    for number in 0..MESSAGES {
        let room = rooms[(number + usize::from(is_first)) % 2];
        let message = match number % 3 {
            0 => named(room, sender, &format!("{is_first}{number}"), "x"),
            _ => message(room, sender, "x"),
        };
        waiting.push((room, submit(&writer, message).await));
        if number % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut stored = Vec::new();
    for (room, answer) in waiting {
        stored.push((room, answer.await.expect("an answer").expect("stored")));
    }
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn times_and_ids_ascend_with_the_numbers_whoever_stores() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let rooms = [
        fixture.room(ana, false).await.room.id,
        fixture.room(ana, false).await.room.id,
    ];
    for room in rooms {
        store(&fixture.writer().await, message(room, ana, "the first")).await;
    }
    let other = open(&fixture.place).await;
    let (one, two) = (writer(&fixture.database).await, writer(&other).await);
    let (one, two) = tokio::join!(
        tokio::spawn(write(one, rooms, ana, true)),
        tokio::spawn(write(two, [rooms[1], rooms[0]], ana, true)),
    );
    let all: Vec<(RoomId, Stored)> = one
        .expect("done")
        .into_iter()
        .chain(two.expect("done"))
        .collect();
    for room in rooms {
        let mut stored: Vec<&Stored> = all
            .iter()
            .filter(|(other, _)| *other == room)
            .map(|(_, stored)| stored)
            .collect();
        stored.sort_by_key(|stored| stored.seq);
        stored.dedup_by_key(|stored| stored.seq);
        let seqs: Vec<i64> = stored.iter().filter_map(|stored| stored.seq).collect();
        assert_eq!(seqs, (2..2 + seqs.len() as i64).collect::<Vec<_>>());
        for pair in stored.windows(2) {
            assert!(pair[0].created_at < pair[1].created_at, "{pair:?}");
            assert!(pair[0].id < pair[1].id, "{pair:?}");
        }
        let read = fixture
            .database
            .list_messages_after(room, 1, None, 2 * MESSAGES as i64, Vec::new())
            .await
            .expect("the history");
        let read: Vec<_> = read
            .iter()
            .map(|message| (message.id, message.created_at))
            .collect();
        let told: Vec<_> = stored
            .iter()
            .map(|stored| (stored.id, Some(stored.created_at)))
            .collect();
        assert_eq!(read, told);
    }
    other.close().await;
}

#[tokio::test]
async fn members_share_what_an_only_one_keeps() {
    let fixture = Fixture::new().await;
    let other = open(&fixture.place).await;
    let only = fixture.database.acquire_instance_lock(Claim::Only).await;
    let only = only.expect("nobody else is there");
    let waiting = tokio::spawn({
        let other = other.clone();
        async move { other.acquire_instance_lock(Claim::Member).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    only.release().await;
    let member = waiting.await.expect("done").expect("it is free");
    let also = fixture.database.acquire_instance_lock(Claim::Member).await;
    let also = also.expect("members go together");
    let only = timeout(
        Duration::from_millis(500),
        other.acquire_instance_lock(Claim::Only),
    );
    assert!(only.await.is_err(), "members are there");
    member.release().await;
    also.release().await;
    let only = other.acquire_instance_lock(Claim::Only).await;
    only.expect("nobody is there any more").release().await;
    other.close().await;
}

#[tokio::test]
async fn one_of_the_members_is_the_home() {
    let fixture = Fixture::new().await;
    let other = open(&fixture.place).await;
    let home = fixture.database.acquire_instance_lock(Claim::Home).await;
    let home = home.expect("nobody is");
    let next = tokio::spawn({
        let other = other.clone();
        async move { other.acquire_instance_lock(Claim::Home).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!next.is_finished());
    drop(home);
    let next = timeout(Duration::from_secs(20), next).await;
    let next = next.expect("in time").expect("done").expect("it is free");
    next.release().await;
    other.close().await;
}

#[tokio::test]
async fn processes_find_the_same_name_for_their_database() {
    let (here, there) = (Fixture::new().await, Fixture::new().await);
    let again = open(&here.place).await;
    let name = here.database.identity().await.expect("a name");
    assert_eq!(again.identity().await.expect("a name"), name);
    assert_ne!(there.database.identity().await.expect("a name"), name);
    again.close().await;
}

#[tokio::test]
async fn how_far_rooms_have_come() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let (room, empty) = (
        fixture.room(ana, false).await.room.id,
        fixture.room(ana, false).await.room.id,
    );
    let writer = fixture.writer().await;
    store(&writer, message(room, ana, "1")).await;
    let second = store(&writer, message(room, ana, "2")).await;
    let change = NewChange {
        room_id: room,
        message_id: second.id,
        user_id: ana,
        alteration: Alteration::Delete,
        client_id: None,
    };
    let changed = fixture.database.change_messages(vec![change]).await;
    assert!(changed.expect("changed")[0].is_some());
    let newest = fixture
        .database
        .find_newest_places(&[room, empty, RoomId(999)])
        .await;
    let newest: Vec<_> = newest.expect("places").into_iter().collect();
    let place = Position {
        seq: Seq(2),
        change: Some(Change(1)),
    };
    assert_eq!(newest, [(room, place)]);
    let none = fixture.database.find_newest_places(&[]).await;
    assert!(none.expect("no places").is_empty());
}
