//! From an upgrade request to a session that talks to the hub.
//!
//! Two transports feed the same session: a socket that was handed to us (the
//! handshake, the WebSocket codec and the close are ours) and a bridge, whose
//! frames travel through another server. What the session needs from the rest of
//! the service it asks through [`ChatBackend`].
//!
//! The parts that know nothing of rooms serve other dialects too: the upgrade
//! ([`UpgradeRequest`]), and reading from either transport ([`receive_socket`],
//! [`receive_bridge`]) into a [`MessageHandler`].

mod backend;
mod bridge;
mod error;
mod frame_budget;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateway;
mod handshake;
mod resume;
mod served;
mod session;
mod socket;
mod validity;

pub use backend::{Admission, ChatBackend, PostDone, Receipt, Refusal};
pub use bridge::{BridgeFrame, BridgeInput, receive as receive_bridge};
pub use error::{PostError, ReadError};
pub use frame_budget::{FrameBudget, pause};
pub use gateway::{Gateway, GatewayConfig, SocketOptions};
pub use handshake::{FORBIDDEN, UNAVAILABLE, UpgradeRequest, last_query_value};
pub use served::{Served, ServedConnections};
pub use socket::{MessageHandler, SocketInput, SocketTerms, receive as receive_socket};
