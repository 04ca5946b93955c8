//! Who is connected, and which rooms each of them hears.
//!
//! Live membership belongs to a user, not to a socket: what one socket joins all of
//! the user's sockets hear. It ends with the last of them. State and what the hub is
//! told change under one lock, held for memory only; so no reader sees a frame of a
//! room in between, and everybody the same order.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_database::compat::{Person, RoomKey, RoomWithPeople};
use chat_hub::{ConnectionRef, Hub, Topic};
use chat_protocol::EncodedFrame;

use super::Dialect;
use super::frames::{self, RoomId, ServerFrame, User, UserId, UserIds};

#[derive(Debug)]
pub(super) struct People {
    hub: Hub,
    everybody: Topic,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<String, Online>,
    /// Changes when somebody loses a room: whoever has asked the database before asks again.
    losses: u64,
}

#[derive(Debug, Default)]
struct Online {
    username: String,
    sockets: Vec<Seat>,
    /// By `JOIN_ROOM`.
    joined: HashMap<String, RoomKey>,
    /// All of the user's rooms, while a socket of the seed's dialect is there.
    automatic: HashMap<String, RoomKey>,
    /// By `LEAVE_ROOM`, where it would be automatic.
    left: HashSet<String>,
}

#[derive(Debug)]
struct Seat {
    connection: ConnectionRef,
    dialect: Dialect,
    /// Its authentication has been answered: it hears what its user hears.
    is_welcome: bool,
}

impl Online {
    fn has_automatic_rooms(&self) -> bool {
        let mut sockets = self.sockets.iter();
        sockets.any(|seat| seat.dialect == Dialect::Seed)
    }

    fn welcome_sockets(&self) -> impl Iterator<Item = ConnectionRef> {
        let sockets = self.sockets.iter().filter(|seat| seat.is_welcome);
        sockets.map(|seat| seat.connection)
    }

    fn hears(&self, room: &str) -> Option<RoomKey> {
        let automatic = || {
            self.automatic
                .get(room)
                .filter(|_| !self.left.contains(room))
        };
        self.joined.get(room).or_else(automatic).copied()
    }

    fn connections(&self) -> Vec<ConnectionRef> {
        self.sockets.iter().map(|seat| seat.connection).collect()
    }
}

/// A point in the history of losses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Losses(u64);

fn topic_of(room: &str) -> Topic {
    Topic::new(format!("ws-hub/room/{room}"))
}

impl People {
    pub(super) fn new(hub: Hub) -> Self {
        Self {
            hub,
            everybody: Topic::new("ws-hub/everybody"),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves at worst a user in a room too many.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read this before asking the database what somebody may hear.
    pub(super) fn losses(&self) -> Losses {
        Losses(self.lock().losses)
    }

    /// Counts a socket in; it hears nothing before `welcome`.
    pub(super) fn come(&self, connection: ConnectionRef, dialect: Dialect, user: User<'_>) {
        let mut state = self.lock();
        if !state.users.contains_key(user.user_id) {
            let news = ServerFrame::UserOnline(user).encode();
            self.hub.publish_to(&self.everybody, news, &[]);
        }
        let online = state.users.entry(user.user_id.to_owned()).or_default();
        user.username.clone_into(&mut online.username);
        let mut sockets = online.sockets.iter();
        if !sockets.any(|seat| seat.connection == connection) {
            online.sockets.push(Seat {
                connection,
                dialect,
                is_welcome: false,
            });
        }
        online.left.clear();
    }

    /// Answers the authentication of a socket that has been counted in, and lets it hear
    /// what its user hears, with these rooms: what is said in them once the client knows
    /// that it is in reaches it. False if somebody has lost a room since.
    pub(super) fn welcome(
        &self,
        since: Losses,
        connection: ConnectionRef,
        user: User<'_>,
        rooms: &[(String, RoomKey)],
    ) -> bool {
        let mut state = self.lock();
        if state.losses != since.0 {
            return false;
        }
        let Some(online) = state.users.get_mut(user.user_id) else {
            return true;
        };
        let mut sockets = online.sockets.iter_mut();
        let Some(seat) = sockets.find(|seat| seat.connection == connection) else {
            return true;
        };
        seat.is_welcome = true;
        let dialect = seat.dialect;
        online.automatic.extend(rooms.iter().cloned());
        for room in online.joined.keys().chain(online.automatic.keys()) {
            self.start_hearing(online, room);
        }
        self.hub.subscribe(connection, &self.everybody);
        let user_ids = state.users.keys().map(String::as_str).collect();
        let list = ServerFrame::OnlineUsers(UserIds { user_ids }).encode();
        self.hub
            .send(connection, vec![frames::authenticated(dialect, user), list]);
        true
    }

    /// Counts a socket out.
    pub(super) fn go(&self, connection: ConnectionRef, user: &str) {
        let mut state = self.lock();
        let Some(online) = state.users.get_mut(user) else {
            return;
        };
        online.sockets.retain(|seat| seat.connection != connection);
        if online.sockets.is_empty() {
            state.users.remove(user);
            let news = ServerFrame::UserOffline(UserId { user_id: user }).encode();
            self.hub.publish_to(&self.everybody, news, &[]);
        } else if !online.has_automatic_rooms() {
            let automatic = std::mem::take(&mut online.automatic);
            for room in automatic
                .keys()
                .filter(|room| !online.joined.contains_key(*room))
            {
                self.stop_hearing(online, room);
            }
        }
    }

    /// A user hears a room; false if something was lost since, and the user may not any more.
    pub(super) fn join(
        &self,
        since: Losses,
        connection: ConnectionRef,
        user: &str,
        room: (&str, RoomKey),
    ) -> bool {
        let mut state = self.lock();
        if state.losses != since.0 {
            return false;
        }
        let (room_id, key) = room;
        if let Some(online) = state.users.get_mut(user) {
            online.joined.insert(room_id.to_owned(), key);
            online.left.remove(room_id);
            self.start_hearing(online, room_id);
            let joined = ServerFrame::RoomJoined(RoomId { room_id }).encode();
            self.hub.send(connection, joined);
        }
        true
    }

    /// A user hears a room no more, on request.
    pub(super) fn leave(&self, connection: ConnectionRef, user: &str, room_id: &str) {
        let mut state = self.lock();
        if let Some(online) = state.users.get_mut(user) {
            online.joined.remove(room_id);
            if online.automatic.contains_key(room_id) {
                online.left.insert(room_id.to_owned());
            }
            self.stop_hearing(online, room_id);
        }
        let left = ServerFrame::RoomLeft(RoomId { room_id }).encode();
        self.hub.send(connection, left);
    }

    /// The room, if the user hears it.
    pub(super) fn hears(&self, user: &str, room: &str) -> Option<RoomKey> {
        self.lock().users.get(user)?.hears(room)
    }

    /// Sends a frame to everybody who hears a room, but not to one user.
    pub(super) fn publish_but(&self, room: &str, frame: EncodedFrame, user: &str) {
        let state = self.lock();
        let except = state.users.get(user).map(Online::connections);
        self.hub
            .publish_to(&topic_of(room), frame, &except.unwrap_or_default());
    }

    pub(super) fn publish(&self, room: &str, frame: EncodedFrame) {
        let _order = self.lock();
        self.hub.publish_to(&topic_of(room), frame, &[]);
    }

    /// Somebody takes part in a room now: users with automatic rooms hear it.
    pub(super) fn added<'a>(
        &self,
        room: &RoomWithPeople,
        people: impl Iterator<Item = &'a Person>,
    ) {
        let mut state = self.lock();
        for person in people {
            if let Some(online) = state.users.get_mut(&person.id)
                && online.has_automatic_rooms()
            {
                online.automatic.insert(room.room.id.clone(), room.room.key);
                self.start_hearing(online, &room.room.id);
            }
        }
    }

    /// Somebody no longer takes part in a room.
    pub(super) fn lost<'a>(&self, room: &str, people: impl Iterator<Item = &'a str>) {
        let mut state = self.lock();
        state.losses += 1;
        for person in people {
            if let Some(online) = state.users.get_mut(person) {
                online.joined.remove(room);
                online.automatic.remove(room);
                online.left.remove(room);
                self.stop_hearing(online, room);
            }
        }
    }

    /// Sends a frame to all sockets of these users.
    pub(super) fn tell<'a>(&self, people: impl Iterator<Item = &'a Person>, frame: &EncodedFrame) {
        let state = self.lock();
        for online in people.filter_map(|person| state.users.get(&person.id)) {
            for connection in online.welcome_sockets() {
                self.hub.send(connection, frame.clone());
            }
        }
    }

    fn start_hearing(&self, online: &Online, room: &str) {
        for connection in online.welcome_sockets() {
            self.hub.subscribe(connection, &topic_of(room));
        }
    }

    fn stop_hearing(&self, online: &Online, room: &str) {
        for seat in &online.sockets {
            self.hub.unsubscribe(seat.connection, &topic_of(room));
        }
    }
}
