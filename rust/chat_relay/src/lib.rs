//! The sibling systems on several processes: what is live is in the memory of one of
//! them, the home; the others, the edges, serve sockets and requests by asking it.
//!
//! To the home each socket of an edge is a bridge, the same as one whose frames another
//! server carries, so nothing behind it knows of the edges. An edge writes to its own
//! sockets what the home has sent it once for all of them, and it alone deals with
//! readers that are slow. Requests of polling clients go to the home too, whichever
//! process they reach.
//!
//! Invariants: an edge and its home understand each other in epochs, which the edge
//! begins. Within one, messages of either side are numbered; where one is missing, the
//! epoch is over, and with it every socket and request of it, on both sides: a client
//! whose socket is open has missed nothing.
//!
//! Knows nothing of what the systems do, and not how the home is chosen.

mod edge;
mod endings;
mod host;
mod relay;
mod window;
mod wire;

pub use relay::{Home, Relay};
