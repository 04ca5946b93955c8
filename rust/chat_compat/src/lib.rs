//! The sibling systems: what unchanged clients of four other chat services see.
//!
//! One folder per system. A face only translates: names, shapes and errors of its
//! system into what `chat_database`, `chat_auth` and the primary service do. Faces
//! know nothing of each other, and nothing outside knows more of them than
//! [`Compat`]; what several need is in `shared`.
//!
//! Invariants: a request always gets an answer in the shape of its own system, also
//! when something fails or panics; an id of the wrong form is an unknown id; no text
//! with U+0000, which PostgreSQL does not have, gets past `shared::Request`.

mod calls;
mod compat;
mod config;
mod meetings;
mod root;
mod shared;
mod webrtc;
mod ws_hub;

pub use compat::Compat;
pub use config::{CompatConfig, LiveKitConfig, System};
pub use shared::{
    Body, BoxFuture, CompatError, Conditions, Content, ContentSource, Image, ImageOutcome,
    ImageRefusal, Primary, PrimaryUser, Request, RequestHead, Response,
};
