//! Readers that are behind.

use shuttle::thread;

use crate::fixture::{Database, Reading, Seen, check, hub, join, places, shut_down};

#[test]
fn a_reader_that_is_behind_gets_whole_frames_or_is_dropped() {
    check(|| {
        // The socket takes a frame and a half; the outbox about three.
        let hub = hub(150);
        let database = Database::default();
        let readers = [1, 2].map(|user| join(&hub, user, Reading::Socket));
        let senders = [(); 2].map(|()| {
            let (hub, database) = (hub.clone(), database.clone());
            thread::spawn(move || (0..3).for_each(|_| database.store(&hub, |_| {})))
        });
        for sender in senders {
            sender.join().expect("no panic");
        }
        for reader in &readers {
            reader.wait(|seen| {
                places(seen).len() == 6 || matches!(seen.last(), Some(Seen::Close(_)))
            });
        }
        shut_down(&hub);
        for reader in readers {
            let seen = reader.end();
            let places = places(&seen);
            assert_eq!(places, (1..).take(places.len()).collect::<Vec<i64>>());
            let end = seen.iter().position(|seen| !matches!(seen, Seen::Frame(_)));
            assert!(end.is_none_or(|end| end + 1 == seen.len()), "{seen:?}");
            let code = if places.len() == 6 { 1012 } else { 4001 };
            assert_eq!(seen.last(), Some(&Seen::Close(code)));
        }
    });
}
