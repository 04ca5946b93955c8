//! How far users have read.

use chat_database::{ReadClaims, ReadOutcome, Reading};
use chat_protocol::ids::{RoomId, UserId};

use super::{Fixture, message, store};

impl Fixture {
    /// A room with that many messages.
    async fn room_of_messages(&self, owner: UserId, messages: usize) -> RoomId {
        let room = self.room(owner, false).await.room.id;
        let writer = self.writer().await;
        for _ in 0..messages {
            store(&writer, message(room, owner, "")).await;
        }
        // Its session would break under the next writer.
        writer.flush_and_stop().await;
        room
    }

    async fn advance(&self, claims: Vec<ReadClaims>) -> Vec<ReadOutcome> {
        let outcomes = self.database.advance_read_markers(claims).await;
        outcomes.expect("an answer").expect("it is known")
    }

    async fn advance_one(&self, user: UserId, room: RoomId, seqs: &[i64]) -> Option<i64> {
        let outcomes = self.advance(vec![claims(user, room, seqs)]).await;
        assert_eq!(outcomes.len(), 1);
        outcomes[0].moved_to
    }

    async fn reading(&self, user: UserId, room: RoomId) -> (i64, i64, i64) {
        let reading = self.database.find_reading(user, room).await;
        as_numbers(reading.expect("an answer").expect("it is known"))
    }
}

fn claims(user: UserId, room: RoomId, seqs: &[i64]) -> ReadClaims {
    ReadClaims {
        user,
        room,
        seqs: seqs.to_vec(),
    }
}

fn as_numbers(reading: Reading) -> (i64, i64, i64) {
    (reading.last_seq, reading.last_read_seq, reading.unread())
}

#[tokio::test]
async fn a_marker_moves_forward_only_and_not_beyond_the_room() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room_of_messages(ana, 5).await;
    assert_eq!(fixture.reading(ana, room).await, (5, 0, 5));
    for (seqs, moved_to, marker) in [
        (&[0][..], None, 0),
        (&[-1, i64::MAX, 6], None, 0),
        (&[2], Some(2), 2),
        (&[2, 1], None, 2),
        (&[4, 9, 3], Some(4), 4),
        (&[], None, 4),
        (&[5], Some(5), 5),
    ] {
        assert_eq!(fixture.advance_one(ana, room, seqs).await, moved_to);
        assert_eq!(fixture.reading(ana, room).await, (5, marker, 5 - marker));
    }
    let empty = fixture.room(ana, false).await.room.id;
    assert_eq!(fixture.advance_one(ana, empty, &[1]).await, None);
    assert_eq!(fixture.reading(ana, empty).await, (0, 0, 0));
}

#[tokio::test]
async fn markers_of_many_users_and_rooms_move_together() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let beto = fixture.user("beto").await.id;
    let (one, two) = (
        fixture.room_of_messages(ana, 3).await,
        fixture.room_of_messages(ana, 2).await,
    );
    assert_eq!(fixture.advance_one(beto, two, &[2]).await, Some(2));
    let outcomes = fixture
        .advance(vec![
            claims(beto, two, &[1]),
            claims(beto, one, &[3, 4]),
            claims(ana, two, &[1]),
            claims(ana, one, &[4]),
            claims(ana, RoomId(99), &[1]),
        ])
        .await;
    let seen: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.last_seq, outcome.moved_to))
        .collect();
    assert_eq!(
        seen,
        [(2, None), (3, Some(3)), (2, Some(1)), (3, None), (0, None)]
    );
    assert_eq!(fixture.reading(beto, two).await, (2, 2, 0));
    assert_eq!(fixture.reading(beto, one).await, (3, 3, 0));
    assert_eq!(fixture.reading(ana, two).await, (2, 1, 1));
    assert_eq!(fixture.reading(ana, one).await, (3, 0, 3));
    assert_eq!(fixture.advance(Vec::new()).await, []);
}

#[tokio::test]
async fn the_list_of_ones_rooms_says_how_far_one_has_read() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let beto = fixture.user("beto").await.id;
    let read = fixture.room_of_messages(ana, 3).await;
    let unread = fixture.room_of_messages(ana, 2).await;
    let empty = fixture.room(ana, true).await.room.id;
    fixture.advance_one(ana, read, &[2]).await;
    fixture.advance_one(beto, unread, &[1]).await;
    let rooms = fixture.database.list_rooms_of_user(ana).await;
    let seen: Vec<_> = rooms
        .expect("a list")
        .iter()
        .map(|own| {
            let reading = own.reading.expect("it is known");
            (own.details.room.id, as_numbers(reading))
        })
        .collect();
    assert_eq!(
        seen,
        [(read, (3, 2, 1)), (unread, (2, 0, 2)), (empty, (0, 0, 0))]
    );
    let rooms = fixture.database.list_rooms_of_user(beto).await;
    assert_eq!(rooms.expect("a list"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn markers_that_are_moved_at_once_end_at_the_highest() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let rooms = [
        fixture.room_of_messages(ana, 20).await,
        fixture.room_of_messages(ana, 20).await,
    ];
    let mut movers = Vec::new();
    for mover in 0..4 {
        let database = fixture.database.clone();
        movers.push(tokio::spawn(async move {
            for step in 0..20_i64 {
                let seq = (step * 7 + mover) % 20 + 1;
                let mut both = rooms.map(|room| claims(ana, room, &[seq])).to_vec();
                if mover % 2 == 0 {
                    both.reverse();
                }
                let outcomes = database.advance_read_markers(both).await;
                outcomes.expect("nobody is in the way");
            }
        }));
    }
    for mover in movers {
        mover.await.expect("no panic");
    }
    for room in rooms {
        assert_eq!(fixture.reading(ana, room).await, (20, 20, 0));
    }
}
