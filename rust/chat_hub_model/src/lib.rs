//! The hub once more, for a scheduler that tries out interleavings.
//!
//! These are the very files of `chat_hub`; only `sync` (locks, atomics, queues,
//! threads, tasks, the clock) and `stream` (sockets) are other ones here. The tests
//! of this crate run the hub under `shuttle`, many times, each time in another order
//! of the steps of its threads. What is taken as one step: the insides of tokio's
//! queues, semaphores and notifications, which tokio checks itself.

#[path = "../../chat_hub/src/asking.rs"]
mod asking;
#[path = "../../chat_hub/src/bridge.rs"]
mod bridge;
#[path = "../../chat_hub/src/changes_tail.rs"]
mod changes_tail;
#[path = "../../chat_hub/src/connection.rs"]
mod connection;
#[path = "../../chat_hub/src/deliver.rs"]
mod deliver;
#[path = "../../chat_hub/src/disconnect.rs"]
mod disconnect;
#[path = "../../chat_hub/src/elsewhere.rs"]
mod elsewhere;
#[path = "../../chat_hub/src/flow.rs"]
mod flow;
#[path = "../../chat_hub/src/gathering.rs"]
mod gathering;
#[path = "../../chat_hub/src/heartbeat.rs"]
mod heartbeat;
#[path = "../../chat_hub/src/hub.rs"]
mod hub;
#[path = "../../chat_hub/src/line.rs"]
mod line;
#[path = "../../chat_hub/src/outbox.rs"]
mod outbox;
#[path = "../../chat_hub/src/peers.rs"]
mod peers;
#[path = "../../chat_hub/src/presence.rs"]
mod presence;
#[path = "../../chat_hub/src/queued.rs"]
mod queued;
#[path = "../../chat_hub/src/registry.rs"]
mod registry;
#[path = "../../chat_hub/src/room.rs"]
mod room;
#[path = "../../chat_hub/src/round.rs"]
mod round;
#[path = "../../chat_hub/src/seat.rs"]
mod seat;
#[path = "../../chat_hub/src/shard.rs"]
mod shard;
#[path = "../../chat_hub/src/subscriptions.rs"]
mod subscriptions;
#[path = "../../chat_hub/src/tail.rs"]
mod tail;
#[path = "../../chat_hub/src/topic.rs"]
mod topic;
#[path = "../../chat_hub/src/typing.rs"]
mod typing;
#[path = "../../chat_hub/src/worker.rs"]
mod worker;

mod inspect;
mod stream;
mod sync;

pub use bridge::{BridgeOutput, OutputBatch};
pub use connection::{Connection, ConnectionId, ConnectionRef, ReplacementLink};
pub use disconnect::DisconnectReason;
pub use heartbeat::Heartbeat;
pub use hub::{AccessVersion, Hub, HubConfig, HubError, Publication, PublishPermit, RoomHold};
pub use peers::{Fetched, News, Notice, PeerId, Peers};
pub use presence::Profile;
pub use room::{Resume, Wishes};
pub use shard::{Link, NewConnection, SessionFactory};
pub use stream::{Peer, Stream, StreamSource, socket_pair};
pub use sync::begin;
pub use tail::LoadedTail;
pub use topic::{Frames, Topic};
