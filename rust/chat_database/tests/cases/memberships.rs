//! Joining and leaving.

use chat_database::Joined;
use chat_protocol::ids::{RoomId, UserId};

use super::{Fixture, code};

#[tokio::test]
async fn joins_at_once_leave_one_row() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let bo = fixture.user("bo").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let racers: Vec<_> = (0..10)
        .map(|_| {
            let database = fixture.database.clone();
            tokio::spawn(async move { database.add_member(room, bo).await })
        })
        .collect();
    let mut added = 0;
    for racer in racers {
        match racer.await.expect("no panic").expect("a join") {
            Joined::Added => added += 1,
            Joined::Already => {}
        }
    }
    assert_eq!(added, 1);
    let rows = format!("select count(*) from user_rooms where user_id = {bo}");
    assert_eq!(fixture.place.count(&rows).await, 1);
}

#[tokio::test]
async fn leaving_removes_every_row_of_the_pair() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let bo = fixture.user("bo").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let row = format!("insert into user_rooms (user_id, room_id) values ({bo}, {room});");
    fixture.execute(&row.repeat(5)).await;

    let database = &fixture.database;
    let joined = database.add_member(room, bo).await.expect("a join");
    assert_eq!(joined, Joined::Already);
    assert!(database.remove_member(room, bo).await.expect("a removal"));
    assert!(!database.remove_member(room, bo).await.expect("a removal"));
    let members = database.list_members(room).await.expect("a list");
    assert_eq!(
        members.iter().map(|member| member.id).collect::<Vec<_>>(),
        [ana]
    );
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_joined() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let database = &fixture.database;
    let refused = database.add_member(RoomId(99), ana).await;
    assert_eq!(code(refused), "room_not_found");
    let refused = database.add_member(room, UserId(99)).await;
    assert_eq!(code(refused), "user_not_found");
    // The failed transactions left the connections usable.
    let joined = database.add_member(room, ana).await.expect("a join");
    assert_eq!(joined, Joined::Already);
}
