//! The one socket of ws-hub, in both of its dialects (contract section 5), and what
//! REST changes mean for open sockets.

mod entrance;
mod frames;
mod people;
mod session;

use std::sync::Arc;

use chat_database::CompatStore;
use chat_database::compat::{Person, RoomWithPeople};
use chat_gateway::ServedConnections;
use chat_hub::Hub;

pub(crate) use self::entrance::SocketLimits;
use self::frames::{RoomId, ServerFrame};
use self::people::People;
use crate::shared::{Accounts, MessageQueue, ObjectIds, Primary};
use crate::ws_hub::answers::RoomAnswer;

/// Fixed by the first authentication frame of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `AUTHENTICATE`, as existing clients say it; rooms are joined.
    Client,
    /// `AUTH`; the user hears all rooms.
    Seed,
}

#[derive(Debug)]
pub(super) struct Live {
    hub: Hub,
    people: People,
    accounts: Arc<Accounts>,
    store: CompatStore,
    primary: Arc<dyn Primary>,
    messages: MessageQueue,
    connections: Arc<ServedConnections>,
}

impl Live {
    pub(super) fn new(
        hub: Hub,
        accounts: Arc<Accounts>,
        store: CompatStore,
        primary: Arc<dyn Primary>,
        ids: Arc<ObjectIds>,
    ) -> Self {
        Self {
            people: People::new(hub.clone()),
            hub,
            accounts,
            messages: MessageQueue::start("ws-hub", store.clone(), ids),
            store,
            primary,
            connections: Arc::default(),
        }
    }

    /// Says whether sockets are served here; if not, those that are open end.
    pub(super) fn set_home(&self, is_home: bool) {
        self.connections.set_served(&self.hub, is_home);
    }

    /// Waits until accepted messages are stored and on their way.
    pub(super) async fn flush(&self) {
        self.messages.flush().await;
    }

    pub(super) fn room_created(&self, room: &RoomWithPeople, creator: &str) {
        self.people.added(room, room.participants.iter());
        let frame = ServerFrame::RoomCreated(RoomAnswer::from(room)).encode();
        self.people
            .tell(others(&room.participants, creator), &frame);
    }

    /// Somebody joined a public room.
    pub(super) fn room_joined(&self, room: &RoomWithPeople, user: &str) {
        let joined = room.participants.iter().filter(|person| person.id == user);
        self.people.added(room, joined);
        self.tell_updated(room, user);
    }

    pub(super) fn room_left(&self, room: &RoomWithPeople, user: &str) {
        self.people.lost(&room.room.id, std::iter::once(user));
        self.tell_updated(room, user);
    }

    /// The last of too few left, `rest` are who remained.
    pub(super) fn room_deleted(&self, room_id: &str, user: &str, rest: &[Person]) {
        let ids = rest.iter().map(|person| person.id.as_str());
        self.people.lost(room_id, ids.chain([user]));
        let frame = ServerFrame::RoomDeleted(RoomId { room_id }).encode();
        self.people.tell(rest.iter(), &frame);
    }

    fn tell_updated(&self, room: &RoomWithPeople, user: &str) {
        let frame = ServerFrame::RoomUpdated(RoomAnswer::from(room)).encode();
        self.people.tell(others(&room.participants, user), &frame);
    }
}

fn others<'a>(people: &'a [Person], user: &'a str) -> impl Iterator<Item = &'a Person> {
    people.iter().filter(move |person| person.id != user)
}
