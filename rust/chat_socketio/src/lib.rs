//! Socket.IO protocol 5 over Engine.IO protocol 4, on the connections of the hub.
//!
//! [`SocketIo`] is the entrance for every transport. Systems plug in as a [`Face`]
//! behind a namespace; they get a [`Socket`] per client, and emit to rooms through a
//! [`Namespace`]. An emission is encoded once for all its readers.
//!
//! The layers: `engine` knows sessions, transports and packets of the engine;
//! `conversation` knows namespaces, events and acknowledgements; faces know what it
//! is all for. The syntax is that of the crates around `socketioxide`; its server is
//! not used, because a task and a queue per client cannot write a frame to a thousand
//! clients at the price of the hub.

mod client_json;
mod config;
mod conformance;
mod conversation;
mod engine;
mod face;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod half_pairs;
mod id;
mod namespace;
mod packet;
mod payload;
mod server;
mod socket;

pub use config::SocketIoConfig;
pub use engine::answer::{EngineError, HttpAnswer};
pub use engine::request::{EngineRequest, Handshake};
pub use face::{AckSender, Event, Face, Refusal};
pub use namespace::Namespace;
pub use payload::Payload;
pub use server::SocketIo;
pub use socket::{AckError, Socket};
