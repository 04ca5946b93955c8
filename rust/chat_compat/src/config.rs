//! What the sibling systems need to know. Read and validated by `chat_app`.

use std::time::Duration;

use secrecy::SecretString;

/// A sibling system by its short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    Meetings,
    Calls,
    WsHub,
    Webrtc,
}

impl System {
    pub const ALL: [Self; 4] = [Self::Meetings, Self::Calls, Self::WsHub, Self::Webrtc];

    /// The short name, which is also the folder of its mount.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meetings => "meetings",
            Self::Calls => "calls",
            Self::WsHub => "ws-hub",
            Self::Webrtc => "webrtc",
        }
    }

    /// The system of that short name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name() == name)
    }
}

/// The settings of all of them.
#[derive(Clone, Debug)]
pub struct CompatConfig {
    /// Which are served; the others are unknown paths.
    pub systems: Vec<System>,
    /// Shared with the user back end whose tokens take part in meetings.
    pub meetings_secret: SecretString,
    pub ws_hub_secret: SecretString,
    pub webrtc_secret: SecretString,
    /// Whether calls need no token.
    pub calls_open: bool,
    /// Whether meetings need no token on sockets: who somebody is they say themselves.
    pub meetings_open: bool,
    /// After how long without anybody in it a meeting is over.
    pub meetings_empty: Duration,
    /// None: routes that answer with a media token are not available.
    pub livekit: Option<LiveKitConfig>,
    /// Of any kind, that one client may send in the long run.
    pub max_frames_per_second: u32,
}

/// The media server of calls.
#[derive(Clone, Debug)]
pub struct LiveKitConfig {
    /// Given to clients as it is.
    pub url: String,
    pub api_key: String,
    pub api_secret: SecretString,
    pub token_lifetime: Duration,
}
