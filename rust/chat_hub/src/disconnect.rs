//! Why a connection ends, and the close code (RFC 6455, section 7.4) a client sees.

/// The one table of close codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The client sent a close frame or ended its side.
    ClientClosed,
    /// The connection broke without a close frame.
    ConnectionLost,
    /// The user may no longer be in the room.
    AccessRevoked,
    /// No pong came in time.
    KeepaliveTimeout,
    /// The client broke the protocol.
    ProtocolError,
    /// A text frame was not UTF-8.
    InvalidPayload,
    /// A frame or message was above the limit.
    MessageTooBig,
    /// The client reads too slowly: its outbox is full.
    SlowConsumer,
    /// The token has expired, and no newer one was shown.
    TokenExpired,
    /// The server stops; come back soon.
    ServiceRestart,
    /// The system that serves the connection ended it, with this close code and reason.
    Dismissed(u16, &'static str),
}

impl DisconnectReason {
    /// Code and reason of the close frame the server sends; none when the client
    /// has already ended the connection.
    pub fn close_code(self) -> Option<(u16, &'static str)> {
        match self {
            Self::ClientClosed | Self::ConnectionLost => None,
            Self::AccessRevoked => Some((1008, "access to this room was revoked")),
            Self::KeepaliveTimeout => Some((1011, "keepalive ping timeout")),
            Self::ProtocolError => Some((1002, "protocol error")),
            Self::InvalidPayload => Some((1007, "text is not valid UTF-8")),
            Self::MessageTooBig => Some((1009, "message too big")),
            // The first code of the private range that no library uses by itself.
            Self::SlowConsumer => Some((4001, "slow consumer")),
            Self::TokenExpired => Some((4002, "token expired")),
            Self::ServiceRestart => Some((1012, "service restart")),
            Self::Dismissed(code, reason) => Some((code, reason)),
        }
    }
}
