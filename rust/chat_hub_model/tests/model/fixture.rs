//! A hub, and clients that are threads of the scheduler.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_hub_model::{
    BridgeOutput, Connection, ConnectionRef, DisconnectReason, Hub, HubConfig, Link, NewConnection,
    Peer, Profile, Publication, Resume, Wishes, socket_pair,
};
use chat_protocol::ids::{RoomId, Seq, UserId};
use chat_protocol::{EncodedFrame, ServerFrame};
use serde_json::Value;
use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::{Condvar, Mutex};
use shuttle::{Config, FailurePersistence, Runner, thread};

pub(crate) const ROOM: RoomId = RoomId(1);
/// For what is waited for to the end here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);

/// Runs of each scenario, unless `MODEL_RUNS` says another number.
const RUNS: usize = 400;
/// Changes between threads at places that the scheduler chooses (PCT).
const CHANGES: usize = 3;

/// Runs a scenario in many orders of its steps.
#[expect(clippy::print_stderr, reason = "shown if the test fails")]
pub(crate) fn check(scenario: fn()) {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse());
    let runs = number("MODEL_RUNS").map_or(RUNS, |runs| runs.expect("a number") as usize);
    let seed = number("MODEL_SEED").map_or_else(
        || RandomState::new().hash_one(0),
        |seed| seed.expect("a number"),
    );
    eprintln!("MODEL_SEED={seed}");
    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let run = move || {
        chat_hub_model::begin();
        scenario();
    };
    let random = RandomScheduler::new_from_seed(seed, runs / 2);
    Runner::new(random, config.clone()).run(run);
    let rare = PctScheduler::new_from_seed(seed, CHANGES, runs / 2);
    Runner::new(rare, config).run(run);
}

pub(crate) fn hub(outbox_max_bytes: usize) -> Hub {
    Hub::start(HubConfig {
        shards: 2,
        outbox_max_bytes,
        resume_max_messages: 100,
        presence_grace: Duration::ZERO,
    })
    .expect("threads")
}

/// Ends the hub. Nothing is left behind: no connection, no user, no bytes on their way.
pub(crate) fn shut_down(hub: &Hub) {
    block_on(hub.shut_down(PATIENCE));
    assert_eq!(hub.connection_count(), 0);
    assert_eq!(hub.presences(), []);
    assert_eq!(hub.free_kibibytes(), 64 * 1024);
}

/// A frame that stands for content.
pub(crate) fn text(message: &str) -> EncodedFrame {
    ServerFrame::Error {
        message,
        client_id: None,
    }
    .encode()
}

/// What stores messages: it knows the last place, and publishes in order.
#[derive(Clone, Default)]
pub(crate) struct Database(Arc<Mutex<i64>>);

impl Database {
    /// A message, from its acceptance to its publication. `committed` is called in
    /// between.
    pub(crate) fn store(&self, hub: &Hub, committed: impl FnOnce(i64)) {
        let permit = block_on(hub.admit(ROOM, 1));
        let mut last = self.0.lock().expect("no panic");
        *last += 1;
        committed(*last);
        let publication = Publication {
            seq: Some(Seq(*last)),
            frame: text(&last.to_string()),
            own: None,
        };
        hub.publish(ROOM, publication, permit);
    }
}

/// What a client has seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Frame(Value),
    Close(u16),
    /// The stream ended in the middle of a frame.
    Torn,
}

#[derive(Default)]
struct Record {
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
}

impl Record {
    fn add(&self, seen: Seen) {
        self.seen.lock().expect("no panic").push(seen);
        self.changed.notify_all();
    }
}

pub(crate) struct Client {
    pub(crate) connection: ConnectionRef,
    record: Arc<Record>,
    thread: thread::JoinHandle<()>,
}

impl Client {
    /// Waits until the client has seen that.
    pub(crate) fn wait(&self, is_there: impl Fn(&[Seen]) -> bool) {
        let mut seen = self.record.seen.lock().expect("no panic");
        while !is_there(&seen) {
            seen = self.record.changed.wait(seen).expect("no panic");
        }
    }

    /// All that the client has seen, once its stream has ended.
    pub(crate) fn end(self) -> Vec<Seen> {
        self.thread.join().expect("no panic");
        std::mem::take(&mut *self.record.seen.lock().expect("no panic"))
    }
}

/// The texts of those frames that stand for content.
pub(crate) fn texts(seen: &[Seen]) -> Vec<&str> {
    let frames = seen.iter().filter_map(|seen| match seen {
        Seen::Frame(frame) => frame["message"].as_str(),
        Seen::Close(_) | Seen::Torn => None,
    });
    frames.filter(|text| *text != "welcome").collect()
}

/// The places of the messages among what was seen.
pub(crate) fn places(seen: &[Seen]) -> Vec<i64> {
    let texts = texts(seen).into_iter();
    texts.filter_map(|text| text.parse().ok()).collect()
}

pub(crate) fn kinds(seen: &[Seen]) -> Vec<String> {
    let kind = |seen: &Seen| match seen {
        Seen::Frame(frame) if frame["message"] == "welcome" => "welcome".to_owned(),
        Seen::Frame(frame) => frame["type"].as_str().expect("a type").to_owned(),
        other => format!("{other:?}"),
    };
    seen.iter().map(kind).collect()
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    /// Whatever comes, to the end.
    Socket,
    /// The same, through another server.
    Bridge,
    /// The first so many messages; then it hangs up.
    Places(usize),
}

pub(crate) fn profile(user: i32) -> Arc<Profile> {
    Arc::new(Profile {
        user_id: UserId(user),
        username: format!("user{user}"),
        full_name: None,
    })
}

/// A connection on its way into the hub, and the thread of its client.
pub(crate) fn connection(
    reading: Reading,
) -> (NewConnection, impl FnOnce(ConnectionRef) -> Client) {
    let record = Arc::new(Record::default());
    let theirs = Arc::clone(&record);
    let (link, client): (Link, Box<dyn FnOnce() + Send>) = if reading == Reading::Bridge {
        let may_take = Arc::new(tokio::sync::Notify::new());
        let wake_up = Arc::clone(&may_take);
        let output = Arc::new(BridgeOutput::new(move || wake_up.notify_one()));
        let taken = Arc::clone(&output);
        let client = move || block_on(take_all(&taken, &may_take, &theirs));
        (Link::Bridge(output), Box::new(client))
    } else {
        let (source, peer) = socket_pair();
        let link = Link::Socket {
            source,
            preamble: Bytes::new(),
            deflate: false,
        };
        let client = move || block_on(read_all(peer, reading, &theirs));
        (link, Box::new(client))
    };
    let new = NewConnection {
        link,
        heartbeat: None,
        session: Box::new(|connection| Box::pin(session(connection))),
    };
    let attached = move |connection| Client {
        connection,
        record,
        thread: thread::spawn(client),
    };
    (new, attached)
}

pub(crate) fn join(hub: &Hub, user: i32, reading: Reading) -> Client {
    come_back(hub, user, reading, None)
}

pub(crate) fn come_back(hub: &Hub, user: i32, reading: Reading, resume: Option<Resume>) -> Client {
    let (new, attached) = connection(reading);
    let wishes = Wishes {
        resume,
        ..Wishes::default()
    };
    let joined = hub.join(profile(user), ROOM, text("welcome"), new, None, wishes);
    attached(joined.expect("joined"))
}

async fn session(connection: Rc<Connection>) {
    let has_right_count = || {
        let (counted, real) = connection.outbox_bytes();
        assert_eq!(counted, real, "bytes of an outbox");
    };
    while connection.is_open() {
        has_right_count();
        tokio::select! {
            biased;
            Ok(()) = connection.readable() => connection.disconnect(DisconnectReason::ClientClosed),
            () = connection.closing() => {}
        }
    }
    has_right_count();
    Rc::clone(&connection).finish().await;
    has_right_count();
}

async fn take_all(output: &BridgeOutput, may_take: &tokio::sync::Notify, record: &Record) {
    loop {
        may_take.notified().await;
        let batch = output.take();
        for frame in batch.frames {
            record.add(parse(frame.text_payload().as_bytes()));
        }
        if let Some((code, _)) = batch.close {
            return record.add(Seen::Close(code));
        }
    }
}

async fn read_all(peer: Peer, reading: Reading, record: &Record) {
    let mut bytes = Vec::new();
    loop {
        let more = peer.read().await;
        if more.is_empty() {
            break;
        }
        bytes.extend(more);
        while let Some((first, payload)) = take_frame(&mut bytes) {
            record.add(match first {
                0x88 => Seen::Close(u16::from_be_bytes([payload[0], payload[1]])),
                _ => parse(&payload),
            });
        }
        if let Reading::Places(count) = reading
            && places(&record.seen.lock().expect("no panic")).len() >= count
        {
            return;
        }
    }
    if !bytes.is_empty() {
        record.add(Seen::Torn);
    }
}

fn parse(payload: &[u8]) -> Seen {
    Seen::Frame(serde_json::from_slice(payload).expect("JSON"))
}

/// The first frame, if it is complete: its first byte and its payload.
fn take_frame(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (header, length) = match *bytes.as_slice() {
        [_, 126, high, low, ..] => (4, u16::from_be_bytes([high, low])),
        [_, length @ 0..126, ..] => (2, u16::from(length)),
        _ => return None,
    };
    let end = header + usize::from(length);
    if bytes.len() < end {
        return None;
    }
    let frame: Vec<u8> = bytes.drain(..end).collect();
    Some((frame[0], frame[header..].to_vec()))
}
