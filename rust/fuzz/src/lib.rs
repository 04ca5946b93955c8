//! What parses the bytes of strangers, each with a property that must hold for any.
//!
//! A target takes bytes and panics if the property does not hold. `make fuzz` feeds it
//! what reaches new code; `tests/replay.rs` what is in `corpus`.

pub mod input;
mod targets;

/// A name, and what is done with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. Those that need the insides of their crate are there, in `fuzzing.rs`.
pub const TARGETS: &[Target] = &[
    ("client_frame", targets::client_frame::check),
    ("disposition", targets::disposition::check),
    ("form", chat_server::fuzzing::form),
    ("handshake", chat_gateway::fuzzing::handshake),
    ("query", targets::query::check),
    ("range", targets::range::check),
    ("socketio_packets", chat_socketio::fuzzing::packets),
    ("socketio_payload", chat_socketio::fuzzing::payload),
    ("token", targets::token::check),
    ("websocket", targets::websocket::check),
];

/// The target of that name.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    let found = TARGETS.iter().find(|(other, _)| *other == name);
    found.map(|(_, check)| *check)
}
