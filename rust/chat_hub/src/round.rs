//! What is written to the readers of a room with one system call each.
//!
//! A round is made once and shared by all shards that have readers of the room.
//! Nearly every reader gets the same bytes, which stand one after the other in
//! one buffer: a write of one buffer costs the kernel less than one of many.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use chat_protocol::{EncodedFrame, EventKind, EventKinds};
use tokio::sync::OwnedSemaphorePermit;

use crate::connection::{Connection, ConnectionId, ConnectionRef};
use crate::seat::RoomSeat;
use crate::sync::AtomicUsize;

/// How a reader takes frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireForm {
    Plain,
    /// It has negotiated permessage-deflate.
    Deflated,
}

impl WireForm {
    pub(crate) fn of(self, frame: &EncodedFrame) -> &Bytes {
        match self {
            Self::Plain => frame.wire_bytes(),
            Self::Deflated => frame.deflated_wire_bytes(),
        }
    }
}

/// What a frame is to a reader that is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Importance {
    /// Must arrive, or the connection ends.
    Required,
    /// This user came or went; may be left out if how it ended follows later.
    Presence(UserId),
    /// May be left out.
    Lossy,
}

/// Who in the room gets a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience {
    Everybody,
    EverybodyBut(UserId),
    /// All connections of a user. Beside `EverybodyBut` of the same.
    User(UserId),
    Only(ConnectionRef),
    /// A newer frame says the same; this one only keeps its place.
    Nobody,
}

/// One frame on its way to the readers of a room.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) frame: EncodedFrame,
    pub(crate) audience: Audience,
    pub(crate) importance: Importance,
    /// Of a message: its place. Of `resumed` on an open connection (`Audience::Only`):
    /// the place of the last message that is replayed.
    pub(crate) seq: Option<Seq>,
    /// The same of changes.
    pub(crate) change: Option<Change>,
    /// Of an event that connections have to ask for: its kind.
    pub(crate) kind: Option<EventKind>,
    /// Given back when the last shard has dealt with the round.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

impl Delivery {
    fn is_for(&self, connection: &Connection, seat: &RoomSeat) -> bool {
        if self.is_published() {
            if self.seq.is_some_and(|seq| seq <= seat.replayed_to.get()) {
                return false;
            }
            let is_replayed = |change| change <= seat.replayed_to_change.get();
            if self.change.is_some_and(is_replayed) {
                return false;
            }
        }
        if !self.is_wanted(seat.events.get()) {
            return false;
        }
        match self.audience {
            Audience::Everybody => true,
            Audience::EverybodyBut(user) => seat.user_id != user,
            Audience::User(user) => seat.user_id == user,
            Audience::Only(target) => connection.id() == target.id,
            Audience::Nobody => false,
        }
    }

    /// Whether connections that have asked for these events get it.
    fn is_wanted(&self, events: EventKinds) -> bool {
        self.kind.is_none_or(|kind| events.contains(kind))
    }

    /// Whether it was published to the room. What is for one connection may be a replay.
    fn is_published(&self) -> bool {
        !matches!(self.audience, Audience::Only(_))
    }

    pub(crate) fn is_for_most(&self) -> bool {
        matches!(
            self.audience,
            Audience::Everybody | Audience::EverybodyBut(_)
        )
    }
}

/// Frames one after the other, in either form, put together when they are needed.
#[derive(Debug, Default)]
struct Wire {
    plain: OnceLock<Bytes>,
    deflated: OnceLock<Bytes>,
}

/// Deliveries to one room, in order.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) room: RoomId,
    /// Position of the first delivery in the room's stream of deliveries.
    first: u64,
    deliveries: Vec<Delivery>,
    /// The place of the first message in it.
    first_seq: Option<Seq>,
    /// The place of the first change in it.
    first_change: Option<Change>,
    /// The kinds of events in it.
    events: EventKinds,
    /// What a reader without exception gets, who has asked for none of these events.
    common: Wire,
    /// The same for those who have asked for all of them.
    common_with_events: Wire,
    excepted: Vec<UserId>,
    targets: Vec<ConnectionRef>,
    shards_left: AtomicUsize,
}

impl Round {
    pub(crate) fn new(room: RoomId, first: u64, deliveries: Vec<Delivery>) -> Self {
        let mut excepted = Vec::new();
        let mut targets: Vec<ConnectionRef> = Vec::new();
        let published = || deliveries.iter().filter(|delivery| delivery.is_published());
        for delivery in &deliveries {
            match delivery.audience {
                Audience::EverybodyBut(user) | Audience::User(user) => excepted.push(user),
                Audience::Only(target) => targets.push(target),
                Audience::Everybody | Audience::Nobody => {}
            }
        }
        excepted.sort_unstable();
        targets.sort_unstable_by_key(|target| target.id);
        targets.dedup_by_key(|target| target.id);
        Self {
            room,
            first,
            first_seq: published().find_map(|delivery| delivery.seq),
            first_change: published().find_map(|delivery| delivery.change),
            events: deliveries
                .iter()
                .filter_map(|delivery| delivery.kind)
                .collect(),
            deliveries,
            common: Wire::default(),
            common_with_events: Wire::default(),
            excepted,
            targets,
            shards_left: AtomicUsize::new(0),
        }
    }

    /// Whether anything in it is for more than single connections.
    pub(crate) fn is_for_most(&self) -> bool {
        self.deliveries.iter().any(Delivery::is_for_most)
    }

    /// The connections that get something of their own, each once.
    pub(crate) fn targets(&self) -> &[ConnectionRef] {
        &self.targets
    }

    /// Says how many shards will report with `shard_done`; before it is sent to them.
    pub(crate) fn expect_shards(&self, shards: usize) {
        self.shards_left.store(shards, Ordering::Relaxed);
    }

    /// Notes that a shard has written its part; true for the last.
    pub(crate) fn shard_done(&self) -> bool {
        self.shards_left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// What this connection gets.
    pub(crate) fn portion(&self, connection: &Connection) -> Portion<'_> {
        let Some(seat) = connection.room_seat() else {
            return Portion::Own(Vec::new());
        };
        let missed = seat.joined_at.saturating_sub(self.first);
        let is_target = self.has_target(connection.id());
        if is_target {
            self.note_replays(connection.id(), seat);
        }
        let is_exception = missed > 0
            || is_target
            || self
                .first_seq
                .is_some_and(|first| first <= seat.replayed_to.get())
            || self
                .first_change
                .is_some_and(|first| first <= seat.replayed_to_change.get())
            || self.excepted.binary_search(&seat.user_id).is_ok();
        let events = seat.events.get().among(self.events);
        if !is_exception && (events.is_empty() || events == self.events) {
            return Portion::Common(self, events);
        }
        let skip = usize::try_from(missed).unwrap_or(usize::MAX);
        let own = self.deliveries.iter().skip(skip);
        Portion::Own(
            own.filter(|delivery| delivery.is_for(connection, seat))
                .collect(),
        )
    }

    /// Moves what the connection has seen to the end of the replays in this round: what
    /// is published up to there, before or later, does not come beside them.
    fn note_replays(&self, id: ConnectionId, seat: &RoomSeat) {
        for delivery in &self.deliveries {
            if matches!(delivery.audience, Audience::Only(target) if target.id == id) {
                if let Some(seq) = delivery.seq {
                    seat.replayed_to.set(seq);
                }
                if let Some(change) = delivery.change {
                    seat.replayed_to_change.set(change);
                }
            }
        }
    }

    fn has_target(&self, id: ConnectionId) -> bool {
        let found = self.targets.binary_search_by_key(&id, |target| target.id);
        found.is_ok()
    }

    /// The bytes of the common portion, put together once for all who take that form.
    pub(crate) fn wire(&self, form: WireForm, events: EventKinds) -> &Bytes {
        let common = if events.is_empty() {
            &self.common
        } else {
            &self.common_with_events
        };
        let wire = match form {
            WireForm::Plain => &common.plain,
            WireForm::Deflated => &common.deflated,
        };
        wire.get_or_init(|| {
            let frames = || self.common(events).map(|delivery| form.of(&delivery.frame));
            let (mut first, bytes) = (frames(), frames().map(Bytes::len).sum());
            match (first.next(), first.next()) {
                (Some(only), None) => only.clone(),
                _ => {
                    let mut buffer = BytesMut::with_capacity(bytes);
                    frames().for_each(|frame| buffer.extend_from_slice(frame));
                    buffer.freeze()
                }
            }
        })
    }

    /// The deliveries of the common portion, for those who have asked for these events.
    pub(crate) fn common(&self, events: EventKinds) -> impl Iterator<Item = &Delivery> {
        self.deliveries
            .iter()
            .filter(move |delivery| delivery.is_for_most() && delivery.is_wanted(events))
    }
}

/// The part of a round that is for one connection.
#[derive(Debug)]
pub(crate) enum Portion<'a> {
    /// What nearly everybody gets with these events, which are all or none: `wire`.
    Common(&'a Round, EventKinds),
    /// Less, or more.
    Own(Vec<&'a Delivery>),
}
