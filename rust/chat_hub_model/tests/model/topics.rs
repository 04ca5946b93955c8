//! Topics: subscriptions, publications and answers of several threads.

use chat_hub_model::{ConnectionRef, Hub, Topic};
use shuttle::thread;

use crate::fixture::{Client, Reading, check, connection, hub, shut_down, text, texts};

fn attach(hub: &Hub, reading: Reading) -> Client {
    let (new, attached) = connection(reading);
    attached(hub.attach(new, None, Vec::new(), None).expect("attached"))
}

fn topic() -> Topic {
    Topic::new("topic")
}

fn publisher(hub: &Hub, name: &'static str, but: Option<ConnectionRef>) -> thread::JoinHandle<()> {
    let hub = hub.clone();
    thread::spawn(move || {
        let but: Vec<ConnectionRef> = but.into_iter().collect();
        hub.publish_to(&topic(), text(&format!("{name}1")), &but);
        hub.publish_to(&topic(), text(&format!("{name}2")), &but);
    })
}

#[test]
fn all_readers_of_a_topic_see_one_order() {
    check(|| {
        let hub = hub(1 << 20);
        // Two to each shard.
        let readings = [
            Reading::Socket,
            Reading::Socket,
            Reading::Bridge,
            Reading::Bridge,
        ];
        let readers = readings.map(|reading| attach(&hub, reading));
        for reader in &readers {
            hub.subscribe(reader.connection, &topic());
        }
        let publishers = [
            publisher(&hub, "a", None),
            publisher(&hub, "b", Some(readers[3].connection)),
        ];
        for publisher in publishers {
            publisher.join().expect("no panic");
        }
        for reader in &readers[..3] {
            reader.wait(|seen| texts(seen).len() == 4);
        }
        readers[3].wait(|seen| texts(seen).len() == 2);
        shut_down(&hub);
        assert!(!hub.has_readers(&topic()));
        let seen = readers.map(Client::end);
        let first = texts(&seen[0]);
        for name in ["a", "b"] {
            let own: Vec<_> = first.iter().filter(|text| text.starts_with(name)).collect();
            assert_eq!(own, [&format!("{name}1"), &format!("{name}2")]);
        }
        assert_eq!(texts(&seen[1]), first);
        assert_eq!(texts(&seen[2]), first);
        assert_eq!(texts(&seen[3]), ["a1", "a2"]);
    });
}

#[test]
fn a_subscription_begins_and_ends_where_it_says() {
    check(|| {
        let hub = hub(1 << 20);
        let stays = attach(&hub, Reading::Socket);
        hub.subscribe(stays.connection, &topic());
        let comes = attach(&hub, Reading::Socket);
        let other = publisher(&hub, "a", None);
        hub.send(comes.connection, text("before"));
        hub.subscribe(comes.connection, &topic());
        hub.publish_to(&topic(), text("own"), &[]);
        hub.unsubscribe(comes.connection, &topic());
        hub.send(comes.connection, text("after"));
        other.join().expect("no panic");
        comes.wait(|seen| texts(seen).contains(&"after"));
        stays.wait(|seen| texts(seen).len() == 3);
        shut_down(&hub);
        assert!(!hub.has_readers(&topic()));
        let (stays, comes) = (stays.end(), comes.end());
        let comes = texts(&comes);
        assert_eq!(
            (comes.first(), comes.last()),
            (Some(&"before"), Some(&"after"))
        );
        assert!(comes.contains(&"own"));
        // A part of the order that the other one sees, without a gap.
        let part = &comes[1..comes.len() - 1];
        assert!(
            texts(&stays)
                .windows(part.len())
                .any(|window| window == part)
        );
    });
}
