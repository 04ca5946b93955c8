//! The server's side of the WebSocket protocol (RFC 6455): no I/O, no clock, no runtime.

mod encode;

pub use encode::{EncodedFrame, PING_FRAME, append_pong, encode_close};
