//! What a connection takes part in: one room for its whole life, or whatever
//! topics it subscribes to.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use chat_protocol::{EncodedFrame, EventKinds};

use crate::sync::Instant;
use crate::topic::Topic;

#[derive(Debug)]
pub(crate) enum Seat {
    Room(RoomSeat),
    /// In memory of its own: a connection in a room does not pay for it.
    Topics(Box<TopicsSeat>),
}

/// A place among the readers of a room.
#[derive(Debug)]
pub(crate) struct RoomSeat {
    pub(crate) user_id: UserId,
    pub(crate) room_id: RoomId,
    /// Where in the room's stream of deliveries it came in; what is before is not for it.
    pub(crate) joined_at: u64,
    /// The last message of its latest replay; later it may be published still.
    pub(crate) replayed_to: Cell<Seq>,
    /// The same for changes.
    pub(crate) replayed_to_change: Cell<Change>,
    /// The events that it has asked for.
    pub(crate) events: Cell<EventKinds>,
    /// When it is closed unless it is allowed to stay longer.
    pub(crate) expires: Cell<Option<Instant>>,
    /// Where it stands in the shard's list of the room's readers.
    pub(crate) index: Cell<usize>,
}

/// The subscriptions of a connection.
#[derive(Debug, Default)]
pub(crate) struct TopicsSeat {
    /// With where it stands in the shard's list of the topic's readers.
    pub(crate) subscriptions: RefCell<HashMap<Topic, usize>>,
    /// The frame that asks for a sign of life, if it is not a WebSocket ping.
    pub(crate) ping: Option<EncodedFrame>,
    /// Whether it waits to be written to in this turn of its shard.
    pub(crate) is_queued: Cell<bool>,
}

impl Seat {
    pub(crate) fn in_room(
        user_id: UserId,
        room_id: RoomId,
        joined_at: u64,
        replayed_to: (Seq, Change),
        events: EventKinds,
    ) -> Self {
        let (replayed_to, replayed_to_change) = replayed_to;
        Self::Room(RoomSeat {
            user_id,
            room_id,
            joined_at,
            replayed_to: Cell::new(replayed_to),
            replayed_to_change: Cell::new(replayed_to_change),
            events: Cell::new(events),
            expires: Cell::new(None),
            index: Cell::new(0),
        })
    }

    pub(crate) fn with_topics(ping: Option<EncodedFrame>) -> Self {
        Self::Topics(Box::new(TopicsSeat {
            ping,
            ..TopicsSeat::default()
        }))
    }
}
