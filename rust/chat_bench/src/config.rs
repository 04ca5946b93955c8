//! What the driver asks for, as one JSON object with the key `scenario`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// One run.
#[derive(Debug, Deserialize)]
#[serde(tag = "scenario", rename_all = "snake_case")]
pub(crate) enum Scenario {
    FanOut(FanOutPlan),
    Idle(IdlePlan),
    Requests(RequestPlan),
}

/// Sockets in one room, some of which write.
#[derive(Debug, Deserialize)]
pub(crate) struct FanOutPlan {
    pub(crate) server_pid: u32,
    /// One socket each, `ws://host:port/path?query`.
    pub(crate) urls: Vec<String>,
    pub(crate) content_bytes: usize,
    #[serde(rename = "warm_up_seconds", deserialize_with = "seconds")]
    pub(crate) warm_up: Duration,
    #[serde(rename = "phase_seconds", deserialize_with = "seconds")]
    pub(crate) phase_length: Duration,
    /// Measured one after the other on the same sockets.
    pub(crate) phases: Vec<Phase>,
}

/// How much is under way at any time: `senders` × `window` messages.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Phase {
    pub(crate) senders: usize,
    /// A sender writes its next message when fewer than this many of its own
    /// have not come back to it.
    pub(crate) window: usize,
}

/// Sockets that only stay open, until standard input ends.
#[derive(Debug, Deserialize)]
pub(crate) struct IdlePlan {
    pub(crate) urls: Vec<String>,
}

/// One GET over and over on connections that are kept.
#[derive(Debug, Deserialize)]
pub(crate) struct RequestPlan {
    pub(crate) server_pid: u32,
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) connections: usize,
    #[serde(rename = "warm_up_seconds", deserialize_with = "seconds")]
    pub(crate) warm_up: Duration,
    #[serde(rename = "phase_seconds", deserialize_with = "seconds")]
    pub(crate) phase_length: Duration,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}
