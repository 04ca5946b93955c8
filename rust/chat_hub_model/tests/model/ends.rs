//! The end of connections, and of the hub, in the middle of everything.

use chat_hub_model::Wishes;
use chat_protocol::ids::UserId;
use shuttle::future::block_on;
use shuttle::thread;

use crate::fixture::{
    Database, PATIENCE, ROOM, Reading, Seen, check, connection, hub, join, places, profile,
    shut_down, text,
};

#[test]
fn whoever_was_let_in_sees_the_end_of_the_service() {
    check(|| {
        let hub = hub(1 << 20);
        let stays = join(&hub, 1, Reading::Socket);
        let others = [Reading::Socket, Reading::Bridge].map(|reading| {
            let hub = hub.clone();
            thread::spawn(move || {
                let (new, attached) = connection(reading);
                let joined = hub.join(
                    profile(2),
                    ROOM,
                    text("welcome"),
                    new,
                    None,
                    Wishes::default(),
                );
                joined.ok().map(attached)
            })
        });
        let sender = {
            let hub = hub.clone();
            thread::spawn(move || Database::default().store(&hub, |_| {}))
        };
        block_on(hub.shut_down(PATIENCE));
        sender.join().expect("no panic");
        let seen = stays.end();
        assert!(matches!(seen.last(), Some(Seen::Close(1012))), "{seen:?}");
        for other in others {
            if let Some(client) = other.join().expect("no panic") {
                client.end();
            }
        }
    });
}

#[test]
fn an_end_for_several_reasons_is_one_end() {
    check(|| {
        let hub = hub(1 << 20);
        let stays = join(&hub, 1, Reading::Bridge);
        let goes = join(&hub, 2, Reading::Places(1));
        let database = Database::default();
        let revoked = {
            let hub = hub.clone();
            thread::spawn(move || hub.revoke_user_in_room(UserId(2), ROOM))
        };
        let closed = {
            let (hub, connection) = (hub.clone(), goes.connection);
            thread::spawn(move || hub.revoke_connection(connection))
        };
        database.store(&hub, |_| {});
        revoked.join().expect("no panic");
        closed.join().expect("no panic");
        goes.end();
        let left = |seen: &Seen| matches!(seen, Seen::Frame(frame) if frame["type"] == "user_left");
        stays.wait(|seen| places(seen) == [1] && seen.iter().any(left));
        shut_down(&hub);
        assert_eq!(stays.end().iter().filter(|seen| left(seen)).count(), 1);
    });
}
