//! From an upgrade request to a session that talks to the hub.
//!
//! Two transports feed the same session: a socket that was handed to us (the
//! handshake, the WebSocket codec and the close are ours) and a bridge, whose
//! frames travel through another server. What the session needs from the rest of
//! the service it asks through [`ChatBackend`].

mod backend;
mod bridge;
mod error;
mod frame_budget;
mod gateway;
mod handshake;
mod session;
mod socket;

pub use backend::{Admission, ChatBackend, PostDone, Refusal};
pub use bridge::BridgeInput;
pub use error::PostError;
pub use gateway::{Gateway, GatewayConfig, SocketOptions};
