//! What a Socket.IO server is told at its start.

use std::time::Duration;

use chat_hub::Heartbeat;

/// Times and limits; the defaults are those of the reference server.
#[derive(Clone, Debug)]
pub struct SocketIoConfig {
    /// From one ping of the server to the next.
    pub ping_interval: Duration,
    /// From a ping to its answer, at the latest.
    pub ping_timeout: Duration,
    /// The longest WebSocket message and body of a POST, in bytes, and all
    /// attachments of a packet together.
    pub max_payload: usize,
    /// A connection that is in no namespace by then is closed.
    pub connect_timeout: Duration,
    /// A probed WebSocket that has not taken over by then is closed.
    pub upgrade_timeout: Duration,
    /// Attachments that were announced must have come by then.
    pub attachment_timeout: Duration,
    /// The most attachments of one packet.
    pub max_attachments: usize,
    /// Packets that one client may send in the long run; above it the client has to
    /// wait. At least one.
    pub max_packets_per_second: u32,
}

impl Default for SocketIoConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
            connect_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            attachment_timeout: Duration::from_secs(10),
            max_attachments: 10,
            max_packets_per_second: 10_000,
        }
    }
}

impl SocketIoConfig {
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            interval: self.ping_interval,
            timeout: self.ping_timeout,
        }
    }
}
