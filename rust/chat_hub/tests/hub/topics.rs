//! What subscribers of topics see: order, exceptions, ends, both kinds of link.

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::fixture::{Client, PATIENCE, connection, hub, pair, text};
use bytes::Bytes;
use chat_hub::{
    BridgeOutput, ConnectionRef, DisconnectReason, Heartbeat, Hub, Link, ReplacementLink, Topic,
};
use chat_protocol::EncodedFrame;

const BRIEF: Duration = Duration::from_millis(20);

fn topic(name: &str) -> Topic {
    Topic::new(format!("test/{name}"))
}

fn attach(hub: &Hub, heartbeat: Option<Heartbeat>, ping: Option<EncodedFrame>) -> Client {
    let (source, stream) = pair();
    let link = Link::Socket {
        source,
        preamble: Bytes::from_static(b""),
        deflate: true,
    };
    let greeting = vec![text("hello")];
    let connection = hub
        .attach(connection(link, heartbeat), ping, greeting, None)
        .unwrap();
    let mut client = Client { stream, connection };
    assert_eq!(client.next(), "hello");
    client
}

fn subscriber(hub: &Hub, topics: &[&str]) -> Client {
    let client = attach(hub, None, None);
    for name in topics {
        hub.subscribe(client.connection, &topic(name));
    }
    client
}

/// The far end of a bridge, without a runtime.
struct Bridge {
    output: Arc<BridgeOutput>,
    woken: Arc<(Mutex<bool>, Condvar)>,
}

impl Bridge {
    fn new() -> Self {
        let woken = Arc::<(Mutex<bool>, Condvar)>::default();
        let waker = Arc::clone(&woken);
        let output = Arc::new(BridgeOutput::new(move || {
            *waker.0.lock().unwrap() = true;
            waker.1.notify_all();
        }));
        Self { output, woken }
    }

    /// What comes next, once something has come.
    fn wait(&self) -> (Vec<String>, Option<(u16, &'static str)>) {
        let guard = self.woken.0.lock().unwrap();
        let (mut guard, timeout) = self
            .woken
            .1
            .wait_timeout_while(guard, PATIENCE, |woken| !*woken)
            .unwrap();
        assert!(!timeout.timed_out(), "nothing comes");
        *guard = false;
        drop(guard);
        let batch = self.output.take();
        let frames = batch.frames.iter().map(EncodedFrame::text_payload);
        (frames.map(str::to_owned).collect(), batch.close)
    }
}

#[tokio::test]
async fn all_readers_of_a_topic_see_one_order_whatever_the_shards() {
    let hub = hub(1 << 20);
    let mut clients: Vec<Client> = (0..6).map(|_| subscriber(&hub, &["a", "b"])).collect();
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let hub = hub.clone();
            std::thread::spawn(move || {
                for number in 0..200 {
                    let name = if number % 3 == 0 { "b" } else { "a" };
                    hub.publish_to(
                        &topic(name),
                        text(&format!("{name}{publisher}-{number}")),
                        &[],
                    );
                }
            })
        })
        .collect();
    let seen: Vec<Vec<String>> = clients
        .iter_mut()
        .map(|client| (0..800).map(|_| client.next()).collect())
        .collect();
    for publisher in publishers {
        publisher.join().unwrap();
    }
    for name in ["a", "b"] {
        let of_topic = |seen: &Vec<String>| -> Vec<String> {
            let frames = seen.iter();
            frames
                .filter(|frame| frame.starts_with(name))
                .cloned()
                .collect()
        };
        let first = of_topic(&seen[0]);
        assert!(seen.iter().all(|seen| of_topic(seen) == first));
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), first.len());
    }
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn subscriptions_begin_and_end_where_they_are_made() {
    let hub = hub(1 << 20);
    let mut reader = subscriber(&hub, &[]);
    let mut other = subscriber(&hub, &["a"]);
    hub.publish_to(&topic("a"), text("before"), &[]);
    hub.subscribe(reader.connection, &topic("a"));
    hub.subscribe(reader.connection, &topic("a"));
    hub.publish_to(&topic("a"), text("first"), &[]);
    hub.send(reader.connection, text("answer"));
    hub.publish_to(&topic("a"), text("second"), &[]);
    hub.unsubscribe(reader.connection, &topic("a"));
    hub.publish_to(&topic("a"), text("after"), &[]);
    hub.send(reader.connection, text("end"));
    for expected in ["first", "answer", "second", "end"] {
        assert_eq!(reader.next(), expected);
    }
    for expected in ["before", "first", "second", "after"] {
        assert_eq!(other.next(), expected);
    }
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_publication_spares_whom_it_excepts() {
    let hub = hub(1 << 20);
    let mut clients: Vec<Client> = (0..8).map(|_| subscriber(&hub, &["a"])).collect();
    let references: Vec<ConnectionRef> = clients.iter().map(|client| client.connection).collect();
    for (number, reference) in references.iter().enumerate() {
        hub.publish_to(&topic("a"), text(&number.to_string()), &[*reference]);
    }
    hub.publish_to(&topic("a"), text("one"), &references[1..]);
    hub.publish_to(&topic("a"), text("end"), &[]);
    for (position, client) in clients.iter_mut().enumerate() {
        for number in (0..8).filter(|number| *number != position) {
            assert_eq!(client.next(), number.to_string());
        }
        if position == 0 {
            assert_eq!(client.next(), "one");
        }
        assert_eq!(client.next(), "end");
    }
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn frames_of_one_publication_stay_together() {
    let hub = hub(1 << 20);
    let mut reader = subscriber(&hub, &["a"]);
    let publishers: Vec<_> = (0..2)
        .map(|_| {
            let hub = hub.clone();
            std::thread::spawn(move || {
                for _ in 0..200 {
                    let frames = vec![text("head"), EncodedFrame::binary(&[1, 2, 3])];
                    hub.publish_to(&topic("a"), frames, &[]);
                }
            })
        })
        .collect();
    for _ in 0..400 {
        assert_eq!(reader.next(), "head");
        assert_eq!(reader.frame().unwrap(), (0x82, vec![1, 2, 3]));
    }
    for publisher in publishers {
        publisher.join().unwrap();
    }
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_topic_ends_with_its_last_reader() {
    let hub = hub(1 << 20);
    let gone = subscriber(&hub, &["a"]);
    let mut stays = subscriber(&hub, &["a"]);
    assert!(hub.has_readers(&topic("a")));
    assert!(!hub.has_readers(&topic("b")));
    let reference = gone.connection;
    drop(gone);
    hub.unsubscribe(stays.connection, &topic("a"));
    let deadline = Instant::now() + PATIENCE;
    while hub.has_readers(&topic("a")) {
        assert!(Instant::now() < deadline, "the topic stays");
        tokio::task::yield_now().await;
    }
    // What is done to a connection that is gone leaves nothing behind.
    hub.subscribe(reference, &topic("a"));
    hub.send(reference, text("nobody"));
    hub.close(reference, DisconnectReason::AccessRevoked);
    while hub.has_readers(&topic("a")) {
        assert!(Instant::now() < deadline, "the topic stays");
        tokio::task::yield_now().await;
    }
    hub.send(stays.connection, text("still here"));
    assert_eq!(stays.next(), "still here");
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_slow_subscriber_is_dropped_and_nobody_else_notices() {
    let hub = hub(64 * 1024);
    let mut slow = subscriber(&hub, &["a"]);
    let mut quick = subscriber(&hub, &["a"]);
    let big = "x".repeat(16 * 1024);
    let deadline = Instant::now() + PATIENCE;
    while hub.connection_count() == 2 {
        assert!(
            Instant::now() < deadline,
            "the slow reader is never dropped"
        );
        hub.publish_to(&topic("a"), text(&big), &[]);
        assert_eq!(quick.next(), big);
    }
    hub.publish_to(&topic("a"), text("on we go"), &[]);
    assert_eq!(quick.next(), "on we go");
    // What the slow one gets is whole frames, then the reason.
    assert_eq!(slow.close_code(), 4001);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn an_end_comes_behind_what_was_sent_and_says_why() {
    let hub = hub(1 << 20);
    let mut client = subscriber(&hub, &["a"]);
    hub.publish_to(&topic("a"), text("last"), &[]);
    hub.send(client.connection, text("words"));
    hub.close(
        client.connection,
        DisconnectReason::Dismissed(4321, "enough"),
    );
    hub.send(client.connection, text("never"));
    assert_eq!(client.next(), "last");
    assert_eq!(client.next(), "words");
    let (first, payload) = client.frame().unwrap();
    assert_eq!((first, &payload[..2]), (0x88, &4321_u16.to_be_bytes()[..]));
    assert_eq!(&payload[2..], b"enough");
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_bridge_gets_the_same_frames() {
    let hub = hub(1 << 20);
    let bridge = Bridge::new();
    let link = Link::Bridge(Arc::clone(&bridge.output));
    let new = chat_hub::NewConnection {
        link,
        heartbeat: None,
        session: Box::new(|connection| {
            Box::pin(async move {
                connection.closing().await;
                connection.finish().await;
            })
        }),
    };
    let reference = hub.attach(new, None, vec![text("hello")], None).unwrap();
    hub.subscribe(reference, &topic("a"));
    hub.publish_to(&topic("a"), text("spared"), &[reference]);
    hub.publish_to(&topic("a"), text("one"), &[]);
    hub.send(reference, text("two"));
    hub.close(reference, DisconnectReason::ServiceRestart);
    let mut frames = Vec::new();
    let close = loop {
        let (more, close) = bridge.wait();
        frames.extend(more);
        if close.is_some() {
            break close;
        }
    };
    let expected: Vec<String> = ["hello", "one", "two"]
        .map(|message| text(message).text_payload().to_owned())
        .into();
    assert_eq!(frames, expected);
    assert_eq!(close, Some((1012, "service restart")));
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_connection_goes_on_over_a_second_link() {
    let hub = hub(1 << 20);
    let bridge = Bridge::new();
    let (source, stream) = pair();
    let (upgrade, upgraded) = tokio::sync::oneshot::channel::<()>();
    let new = chat_hub::NewConnection {
        link: Link::Bridge(Arc::clone(&bridge.output)),
        heartbeat: None,
        session: Box::new(|connection| {
            Box::pin(async move {
                upgraded.await.unwrap();
                let second = ReplacementLink::Socket(source.register().unwrap());
                connection.replace_link(second).unwrap();
                let third = ReplacementLink::Bridge(Arc::new(BridgeOutput::new(|| ())));
                assert!(connection.replace_link(third).is_err());
                connection.closing().await;
                connection.finish().await;
            })
        }),
    };
    let reference = hub.attach(new, None, vec![text("hello")], None).unwrap();
    hub.subscribe(reference, &topic("a"));
    let (frames, _) = bridge.wait();
    assert_eq!(frames.len(), 1);
    // Taken by the first link's side or carried over, but never lost or doubled.
    hub.publish_to(&topic("a"), text("between"), &[]);
    upgrade.send(()).unwrap();
    hub.publish_to(&topic("a"), text("behind"), &[]);
    let mut client = Client {
        stream,
        connection: reference,
    };
    assert_eq!(client.next(), "between");
    assert_eq!(client.next(), "behind");
    hub.close(reference, DisconnectReason::ServiceRestart);
    assert_eq!(client.close_code(), 1012);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_heartbeat_asks_with_the_frame_it_was_given() {
    let hub = hub(1 << 20);
    let heartbeat = Heartbeat {
        interval: Duration::from_millis(100),
        timeout: Duration::from_millis(5_000),
    };
    let mut client = attach(&hub, Some(heartbeat), Some(text("ping")));
    for _ in 0..2 {
        assert_eq!(client.next(), "ping");
        client.stream.write_all(b"x").unwrap();
    }
    let brief = Heartbeat {
        timeout: Duration::from_millis(100),
        ..heartbeat
    };
    let mut silent = attach(&hub, Some(brief), Some(text("ping")));
    assert_eq!(silent.close_code(), 1011);
    let mut controlled = attach(&hub, Some(heartbeat), None);
    assert_eq!(controlled.frame().unwrap().0, 0x89);
    hub.shut_down(BRIEF).await;
}
