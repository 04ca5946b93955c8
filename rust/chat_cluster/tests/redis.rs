//! Processes that meet on a real server.

use std::time::Duration;

use bytes::Bytes;
use chat_cluster::{Channel, Cluster, ClusterConfig, ClusterError, Event};
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};

type Events = mpsc::UnboundedReceiver<Event>;

fn url() -> SecretString {
    let url = std::env::var("IZPOCHAT_TEST_REDIS_URL");
    SecretString::from(url.expect("IZPOCHAT_TEST_REDIS_URL names a server"))
}

const PATIENCE: Duration = Duration::from_secs(20);

async fn join(name: &str) -> (Cluster, Events) {
    let config = ClusterConfig {
        url: url(),
        name: name.to_owned(),
    };
    let (cluster, mut events) = Cluster::join(config).await.expect("joined");
    assert_eq!(next(&mut events).await, Event::Connected);
    (cluster, events)
}

async fn next(events: &mut Events) -> Event {
    let event = tokio::time::timeout(PATIENCE, events.recv()).await;
    event.expect("in time").expect("an event")
}

/// The next event that is not the coming of a process.
async fn next_but_coming(events: &mut Events) -> Event {
    loop {
        match next(events).await {
            Event::NodeCame(_) => {}
            event => return event,
        }
    }
}

fn message(from: &Cluster, channel: Channel, payload: &'static str) -> Event {
    Event::Message {
        from: from.node(),
        channel,
        payload: Bytes::from(payload),
    }
}

#[tokio::test]
async fn what_is_sent_arrives_in_order_where_it_is_listened_to() {
    let (one, mut heard_by_one) = join("order").await;
    let (other, mut heard_by_other) = join("order").await;
    let (stranger, mut heard_by_stranger) = join("stranger").await;
    other.subscribe(7);
    // Until the subscription has been made, which nobody is told.
    let is_heard = async {
        loop {
            one.send(Channel::Numbered(7), "are you there?");
            let heard = tokio::time::timeout(Duration::from_millis(50), async {
                while !matches!(next(&mut heard_by_other).await, Event::Message { .. }) {}
            });
            if heard.await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, is_heard)
        .await
        .expect("in time");
    one.send(Channel::Numbered(8), "for nobody");
    one.send(Channel::Numbered(7), "first");
    one.send(Channel::All, "second");
    one.send(Channel::Node(other.node()), "third");
    one.send(Channel::Node(stranger.node()), "for nobody either");
    let mut heard = Vec::new();
    while heard.last() != Some(&message(&one, Channel::Node(other.node()), "third")) {
        heard.push(next_but_coming(&mut heard_by_other).await);
    }
    heard.retain(|event| *event != message(&one, Channel::Numbered(7), "are you there?"));
    assert_eq!(
        heard,
        [
            message(&one, Channel::Numbered(7), "first"),
            message(&one, Channel::All, "second"),
            message(&one, Channel::Node(other.node()), "third"),
        ]
    );
    other.unsubscribe(7);
    other.send(Channel::All, "back");
    assert_eq!(
        next_but_coming(&mut heard_by_one).await,
        message(&other, Channel::All, "back")
    );
    stranger.leave().await;
    while let Some(event) = heard_by_stranger.recv().await {
        assert!(!matches!(event, Event::Message { .. }), "{event:?}");
    }
}

#[tokio::test]
async fn coming_and_going_is_told() {
    let (one, mut heard_by_one) = join("going").await;
    let (other, mut heard_by_other) = join("going").await;
    assert_eq!(next(&mut heard_by_one).await, Event::NodeCame(other.node()));
    assert_eq!(next(&mut heard_by_other).await, Event::NodeCame(one.node()));
    other.send(Channel::All, "last words");
    other.leave().await;
    assert_eq!(
        next_but_coming(&mut heard_by_one).await,
        message(&other, Channel::All, "last words")
    );
    assert_eq!(
        next_but_coming(&mut heard_by_one).await,
        Event::NodeGone(other.node())
    );
    assert!(!other.is_connected());
}

#[tokio::test]
async fn a_process_that_falls_silent_is_gone() {
    let (_one, mut heard_by_one) = join("silence").await;
    let (crash, crashes) = oneshot::channel();
    let process = std::thread::spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        let node = runtime.block_on(async {
            let (other, _events) = join("silence").await;
            crashes.await.expect("a crash");
            other.node()
        });
        // Its tasks end in the middle of what they do.
        drop(runtime);
        node
    });
    // Only whoever has been heard of can fall silent.
    let came = next(&mut heard_by_one).await;
    crash.send(()).expect("a process");
    let node = process.join().expect("a process");
    assert_eq!(came, Event::NodeCame(node));
    assert_eq!(next(&mut heard_by_one).await, Event::NodeGone(node));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told() {
    for (url, is_valid) in [
        ("nonsense", false),
        ("http://localhost", false),
        ("redis://127.0.0.1:1", true),
    ] {
        let config = ClusterConfig {
            url: SecretString::from(url),
            name: "nobody".to_owned(),
        };
        let error = Cluster::join(config).await.expect_err("no server");
        let is_unreachable = matches!(error, ClusterError::Unreachable(_));
        assert_eq!(is_unreachable, is_valid, "{error}");
        assert!(error.to_string().starts_with("REDIS_URL: "), "{error}");
    }
}
