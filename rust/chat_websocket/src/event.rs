//! What a decoder finds.

use crate::close::CloseFrame;

/// Something a client has said completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// Nothing that follows is decoded.
    Close(Option<CloseFrame>),
}
