//! Who is connected where, and how a frame reaches all of them.
//!
//! A connection is an id, a link and a bounded outbox, and lives on one shard: a
//! thread with its own single-threaded runtime. What crosses threads is a
//! command to a shard; everything a delivery touches is local to its thread.
//!
//! The one rule that orders everything: a room's presence is changed and its
//! deliveries are lined up under that room's entry in [`Hub`]; from there they go
//! out in rounds, one at a time, so all readers see joins, leaves, messages and
//! answers of a room in the same order.
//!
//! A connection is in one room, with presence and what belongs to it ([`Hub::join`]),
//! or subscribes to topics instead ([`Hub::attach`]); shards, outboxes, heartbeats and
//! ends are the same for both.
//!
//! Where several processes serve one database, their hubs tell each other what
//! concerns the others' readers (`peers`).
//!
//! The hub knows rooms, users and frames, but no HTTP, tokens, database or
//! WebSocket decoding: a session (see `chat_gateway`) reads from a connection.

mod asking;
mod bridge;
mod changes_tail;
mod connection;
mod deliver;
mod disconnect;
mod elsewhere;
mod flow;
mod gathering;
mod heartbeat;
mod hub;
mod line;
mod outbox;
mod peers;
mod presence;
mod queued;
mod registry;
mod room;
mod round;
mod seat;
mod shard;
mod stream;
mod subscriptions;
mod sync;
mod tail;
mod topic;
mod typing;
mod worker;

pub use bridge::{BridgeOutput, OutputBatch};
pub use changes_tail::{LoadedChange, LoadedChanges};
pub use connection::{Connection, ConnectionId, ConnectionRef, ReplacementLink};
pub use disconnect::DisconnectReason;
pub use heartbeat::Heartbeat;
pub use hub::{
    AccessVersion, ChangePublication, Hub, HubConfig, HubError, Publication, PublishPermit,
    RoomHold,
};
pub use peers::{Fetched, News, Notice, PeerId, Peers};
pub use presence::Profile;
pub use room::{Resume, Wishes};
pub use shard::{Link, NewConnection, SessionFactory};
pub use stream::{Stream, StreamSource};
pub use tail::LoadedTail;
pub use topic::{Frames, Topic};
