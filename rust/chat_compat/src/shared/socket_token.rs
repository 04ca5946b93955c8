//! Where clients of Socket.IO put their token.

use chat_socketio::Socket;
use serde_json::{Map, Value};

/// The token in what came with the wish to enter, in the handshake's header, or in
/// its query, in this order; with or without `Bearer `.
pub(crate) fn socket_token(socket: &Socket, auth: &Map<String, Value>) -> Option<String> {
    let handshake = socket.handshake();
    let sent = auth.get("token").and_then(Value::as_str).map(str::to_owned);
    let header = || handshake.authorization().map(str::to_owned);
    let token = sent
        .filter(|token| !token.is_empty())
        .or_else(header)
        .or_else(|| handshake.query("token"))?;
    let (scheme, rest) = token.split_once(' ').unwrap_or(("", &token));
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        rest.trim()
    } else {
        token.trim()
    };
    (!token.is_empty()).then(|| token.to_owned())
}
