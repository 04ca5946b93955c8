//! Data that crosses the wire: ids, times, client frames and server frames.
//!
//! Pure data and parsing: no I/O, no clock, no runtime. Everything here follows
//! the IzpoChat client contract (frames: its sections 6.2 to 6.4).

mod client_frame;
mod events;
mod fields;
pub mod ids;
#[cfg(feature = "schema")]
pub mod schema;
mod server_frame;
mod timestamp;

pub use client_frame::{
    BearerToken, ChangeDraft, ClientFrame, ClientId, FrameError, MAX_CONTENT_CHARACTERS,
    MessageDraft, Position, parse_integer_text,
};
pub use events::{EventKind, EventKinds};
pub use server_frame::{FileSummary, OnlineUser, ResumedChanges, Sender, ServerFrame};
pub use timestamp::{format_frame_time, format_rest_time};

// Who handles frames needs no second dependency to pass them on.
pub use chat_websocket::{EncodedFrame, PING_FRAME, encode_close};
