//! The server's side of the WebSocket protocol (RFC 6455), with compressed
//! messages (RFC 7692): frames in and out.
//!
//! Bytes in, events out, and the other way round: no I/O, no clock, no runtime.
//! A [`Decoder`] keeps nothing of what it was fed but an unfinished header or
//! message, so an idle connection costs its few bytes of state and no buffer.

mod close;
mod decoder;
mod deflate;
mod encode;
mod error;
mod event;
mod extensions;
mod header;
mod mask;
mod message;

pub use close::CloseFrame;
pub use decoder::{Decoder, DecoderConfig};
pub use encode::{EncodedFrame, PING_FRAME, append_close_answer, append_pong, encode_close};
pub use error::{DecodeError, Violation};
pub use event::Event;
pub use extensions::accept_deflate;
