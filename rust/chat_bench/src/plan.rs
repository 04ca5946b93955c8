//! What the driver asks for: one JSON object with the key `scenario`, and for
//! sockets one more line, with the key `command`, for everything done with them.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// One run.
#[derive(Debug, Deserialize)]
#[serde(tag = "scenario", rename_all = "snake_case")]
pub(crate) enum Scenario {
    Sockets(SocketPlan),
    Churn(ChurnPlan),
    Disturb(DisturbPlan),
    Requests(RequestPlan),
}

/// Sockets that stay open until standard input ends.
#[derive(Debug, Deserialize)]
pub(crate) struct SocketPlan {
    pub(crate) server: Server,
    pub(crate) sockets: Vec<Place>,
    /// Handshakes under way at once.
    pub(crate) handshakes: usize,
}

/// Who is measured, and where it listens.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Server {
    pub(crate) pid: u32,
    /// `host:port`.
    pub(crate) address: String,
    /// Whether a socket counts as open only when its first text has come.
    pub(crate) welcomes: bool,
    #[serde(default)]
    pub(crate) dialect: Dialect,
}

/// What is spoken in the texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dialect {
    /// Messages are JSON objects.
    #[default]
    Plain,
    /// Messages are arguments of Socket.IO events.
    SocketIo,
    /// Messages are candidates for the other party of a call.
    Signalling,
}

/// Where one socket connects to.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Place {
    /// With the query.
    pub(crate) path: String,
    /// Its place in the ledger: sockets of one number must get the same messages.
    pub(crate) room: usize,
    #[serde(default)]
    pub(crate) peer: Option<Peer>,
}

/// The other party of a call.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Peer {
    /// Its user id.
    pub(crate) user: String,
    /// Whether it is the one who is called. Whoever is called writes nothing but
    /// answers.
    pub(crate) is_called: bool,
}

/// What is done with open sockets.
#[derive(Debug, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(crate) enum Command {
    Load(LoadPlan),
    /// Nothing but answers to pings.
    Idle {
        #[serde(deserialize_with = "seconds")]
        seconds: Duration,
    },
    /// All sockets are dropped and connect again.
    Reconnect,
}

/// Messages in all rooms for some time.
#[derive(Debug, Deserialize)]
pub(crate) struct LoadPlan {
    pub(crate) content_bytes: usize,
    #[serde(deserialize_with = "seconds")]
    pub(crate) warm_up_seconds: Duration,
    #[serde(deserialize_with = "seconds")]
    pub(crate) seconds: Duration,
    pub(crate) senders_per_room: usize,
    pub(crate) pace: Pace,
}

/// When senders write; they take turns.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// As soon as fewer than `in_flight` messages have not come back to their
    /// senders.
    Closed { in_flight: usize },
    /// At fixed times, whatever comes back: `burst` messages at once, so often
    /// that it makes `per_second`. Latencies count from the intended times.
    Open { per_second: f64, burst: usize },
}

/// Connections that come and go.
#[derive(Debug, Deserialize)]
pub(crate) struct ChurnPlan {
    pub(crate) server: Server,
    pub(crate) paths: Vec<String>,
    /// Before the first look at the memory.
    pub(crate) warm_up_connects: u64,
    pub(crate) connects: u64,
    pub(crate) concurrency: usize,
}

/// One client that misbehaves until standard input ends.
#[derive(Debug, Deserialize)]
pub(crate) struct DisturbPlan {
    pub(crate) address: String,
    pub(crate) path: String,
    pub(crate) behaviour: Behaviour,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Behaviour {
    /// Reads one byte per second.
    SlowReader,
    /// WebSocket pings with the longest payload.
    PingFlood,
    /// One message that never ends, a byte per fragment.
    FragmentFlood,
    /// Valid frames that ask for an answer.
    FrameFlood,
    /// Valid frames that ask for a frame to everybody else in the room.
    TypingFlood,
}

/// One request over and over on connections that are kept.
#[derive(Debug, Deserialize)]
pub(crate) struct RequestPlan {
    pub(crate) server: Server,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: String,
    /// JSON, or empty for none.
    pub(crate) body: String,
    pub(crate) status: u16,
    /// Whether every answer must be the first one, byte for byte.
    pub(crate) same_answers: bool,
    pub(crate) connections: usize,
    #[serde(deserialize_with = "seconds")]
    pub(crate) warm_up_seconds: Duration,
    #[serde(deserialize_with = "seconds")]
    pub(crate) seconds: Duration,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}
