//! What the hubs of several processes tell each other.
//!
//! Each hub knows its own connections, and of the others' only who is in which room.
//! It tells what is published here and hears what is published elsewhere; `line` puts
//! both into one order. Who carries it, and asks the database for what got lost on the
//! way, is behind [`Peers`].

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use chat_protocol::ids::{RoomId, UserId};
use chat_protocol::{EncodedFrame, Position};

use crate::hub::{ChangePublication, Hub, Publication};
use crate::line::LineNews;
use crate::presence::Profile;
use crate::shard::Selector;

/// The hub of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId(pub u64);

/// The way to the other hubs. Everything is called under the lock of a room or of none,
/// and must neither wait nor call the hub.
pub trait Peers: fmt::Debug + Send + Sync {
    /// Whether this hub needs to hear what is published in the room.
    fn listen(&self, room: RoomId, listens: bool);

    /// Whether a user is in the room here. Said again, it changes nothing.
    fn tell_presence(&self, room: RoomId, user: UserId, profile: Option<&Profile>);

    /// Something is published in the room here.
    fn tell(&self, room: RoomId, news: News<'_>);

    /// Something has happened that concerns all hubs.
    fn tell_all(&self, notice: &Notice);

    /// Something behind this place has not arrived here for a while.
    fn fetch(&self, room: RoomId, behind: Position);
}

/// What is published in a room.
#[derive(Debug)]
pub enum News<'a> {
    Message(&'a Publication),
    Change(&'a ChangePublication),
    Typing {
        author: UserId,
        is_typing: bool,
        frame: &'a EncodedFrame,
    },
}

/// What concerns the hubs of all processes.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A user may not be connected any more.
    RevokeUser(UserId),
    RevokeUserInRoom(UserId, RoomId),
    /// Only these users may be connected to the room.
    RevokeRoomExcept(RoomId, HashSet<UserId>),
    UpdateProfile(Profile),
    /// What a user has read, for those connections of the user that have asked for it.
    Read(UserId, EncodedFrame),
    /// Messages may have changed without anybody having heard of it.
    ForgetTail(RoomId),
}

/// What was asked of the database because it had not arrived.
#[derive(Debug)]
pub struct Fetched {
    /// In order; up to there it is everything there is.
    pub messages: Vec<Publication>,
    /// The same for the changes.
    pub changes: Vec<ChangePublication>,
    pub up_to: Position,
}

impl Hub {
    /// Takes up what another hub has published in a room.
    pub fn hear_message(&self, room: RoomId, publication: Publication) {
        self.state
            .registry
            .take_up(room, LineNews::Message(publication, None));
    }

    /// Takes up a change that another hub has published in a room.
    pub fn hear_change(&self, room: RoomId, publication: ChangePublication) {
        self.state
            .registry
            .take_up(room, LineNews::Change(publication, None));
    }

    /// Takes up that a user types, or does not, at another process.
    pub fn hear_typing(&self, room: RoomId, author: UserId, is_typing: bool, frame: EncodedFrame) {
        let registry = &self.state.registry;
        registry.publish_typing(room, author, is_typing, frame);
    }

    /// Does what another hub has said to all.
    pub fn hear_notice(&self, notice: Notice) {
        match notice {
            Notice::RevokeUser(user) => self.revoke(Selector::User(user)),
            Notice::RevokeUserInRoom(user, room) => self.revoke(Selector::UserInRoom(user, room)),
            Notice::RevokeRoomExcept(room, allowed) => {
                self.revoke(Selector::RoomExcept(room, Arc::new(allowed)));
            }
            Notice::UpdateProfile(profile) => self.profile_changed(profile),
            Notice::Read(user, frame) => self.state.registry.publish_read(user, &frame, None),
            Notice::ForgetTail(room) => self.tail_forgotten(room),
        }
    }

    /// A user is in a room at another process.
    pub fn arrived_elsewhere(&self, peer: PeerId, room: RoomId, profile: Profile) {
        self.state.registry.arrived_elsewhere(peer, room, profile);
    }

    /// A user is not in a room any more at another process.
    pub fn left_elsewhere(&self, peer: PeerId, room: RoomId, user: UserId) {
        self.state.registry.left_elsewhere(peer, room, user);
    }

    /// Tells the others of everybody who is in a room here.
    pub fn tell_presences(&self) {
        self.state.registry.tell_presences();
    }

    /// The rooms whose publications this hub needs to hear.
    pub fn rooms_listened_to(&self) -> Vec<RoomId> {
        self.state.registry.rooms_listened_to()
    }

    /// What the database has of a room now; what does not arrive soon is fetched.
    pub fn expect(&self, room: RoomId, newest: Position) {
        self.state.registry.expect(room, newest);
    }

    /// Takes up what was fetched.
    pub fn fill(&self, room: RoomId, fetched: Fetched) {
        self.state.registry.fill(room, fetched);
    }
}
