//! A room: publications, and those who come and go meanwhile.

use chat_protocol::ids::UserId;
use shuttle::future::block_on;
use shuttle::thread;

use crate::fixture::{
    Client, Database, ROOM, Reading, Seen, check, hub, join, kinds, places, shut_down, text, texts,
};

/// Waits for all messages without anything that could make up for a lost wake-up.
fn all_arrive(clients: &[&Client], messages: usize) {
    for client in clients {
        client.wait(|seen| places(seen).len() >= messages);
    }
}

#[test]
fn whatever_was_accepted_reaches_everybody_in_one_order() {
    check(|| {
        let hub = hub(1 << 20);
        let database = Database::default();
        let readers = [Reading::Socket, Reading::Bridge, Reading::Socket];
        let readers: Vec<Client> = (1..)
            .zip(readers)
            .map(|(user, reading)| join(&hub, user, reading))
            .collect();
        let senders = [(); 2].map(|()| {
            let (hub, database) = (hub.clone(), database.clone());
            thread::spawn(move || {
                database.store(&hub, |_| {});
                database.store(&hub, |_| {});
            })
        });
        let others = {
            let (hub, answered) = (hub.clone(), readers[0].connection);
            thread::spawn(move || {
                // A message that is refused by the database.
                drop(block_on(hub.admit(ROOM, 1)));
                hub.publish_typing(ROOM, UserId(2), true, text("typing"));
                hub.reply(answered, text("answer"));
            })
        };
        all_arrive(&readers.iter().collect::<Vec<_>>(), 4);
        readers[0].wait(|seen| texts(seen).contains(&"answer"));
        for sender in senders {
            sender.join().expect("no panic");
        }
        others.join().expect("no panic");
        shut_down(&hub);
        for (index, reader) in readers.into_iter().enumerate() {
            let seen = reader.end();
            assert_eq!(places(&seen), [1, 2, 3, 4]);
            assert_eq!(seen.last(), Some(&Seen::Close(1012)));
            let count = |text| texts(&seen).iter().filter(|seen| **seen == text).count();
            assert_eq!(count("answer"), usize::from(index == 0));
            assert!(count("typing") <= usize::from(index != 1));
        }
    });
}

#[test]
fn who_joins_gets_all_from_there_on_and_who_leaves_all_until_then() {
    check(|| {
        let hub = hub(1 << 20);
        let database = Database::default();
        let stays = join(&hub, 1, Reading::Bridge);
        let leaves = join(&hub, 2, Reading::Places(1));
        let sender = {
            let (hub, database) = (hub.clone(), database.clone());
            thread::spawn(move || (0..3).for_each(|_| database.store(&hub, |_| {})))
        };
        let joins = {
            let hub = hub.clone();
            thread::spawn(move || join(&hub, 3, Reading::Socket))
        };
        let joins = joins.join().expect("no panic");
        all_arrive(&[&stays], 3);
        sender.join().expect("no panic");
        // One more, so that it is known what the newcomer must get at least.
        database.store(&hub, |_| {});
        all_arrive(&[&stays, &joins], 1);
        joins.wait(|seen| places(seen).contains(&4));
        stays.wait(|seen| kinds(seen).iter().any(|kind| kind == "user_left"));
        let left = leaves.end();
        shut_down(&hub);

        let seen = stays.end();
        assert_eq!(places(&seen), [1, 2, 3, 4]);
        // Presence, as this reader knows it: everybody comes once, in this order.
        let who = |kind: &str| -> Vec<i64> {
            let frames = seen.iter().filter_map(|seen| match seen {
                Seen::Frame(frame) if frame["type"] == kind => frame["user_id"].as_i64(),
                _ => None,
            });
            frames.collect()
        };
        // Its own coming is in its list, and announced to it like to everybody.
        assert_eq!(
            who("user_joined")
                .iter()
                .filter(|user| **user > 1)
                .collect::<Vec<_>>(),
            [&2, &3]
        );
        assert_eq!(who("user_left"), [2]);

        let seen = joins.end();
        assert_eq!(kinds(&seen)[..2], ["welcome", "users_online"]);
        let newest = places(&seen);
        assert_eq!(newest, [1, 2, 3, 4][4 - newest.len()..]);
        assert_eq!(seen.last(), Some(&Seen::Close(1012)));
        let first = places(&left);
        assert_eq!(first, (1..).take(first.len()).collect::<Vec<i64>>());
    });
}
