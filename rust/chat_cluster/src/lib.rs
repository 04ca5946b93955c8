//! The processes that serve one database, as each of them sees the others.
//!
//! They meet on a Redis (or Valkey) server, which passes messages on and keeps
//! nothing: whoever is subscribed to a channel gets what is sent to it, at most once,
//! in the order in which each process sent it. What must not be lost is for those
//! above to prove and to fetch again; what they are told here is when that may be
//! necessary ([`Event::Connected`]).
//!
//! Knows nothing of rooms, users or messages.

mod channel;
mod cluster;
mod error;
mod link;
mod members;
mod wire;

pub use channel::{Channel, NodeId};
pub use cluster::{Cluster, ClusterConfig, Event};
pub use error::ClusterError;
