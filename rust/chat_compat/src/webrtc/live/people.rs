//! Who is connected and in which rooms.

use std::collections::HashMap;

use chat_database::compat::RoomKey;
use chat_socketio::Socket;
use serde_json::{Value, json};

use super::Identity;

#[derive(Debug, Default)]
pub(super) struct People {
    /// By socket id.
    sockets: HashMap<String, Online>,
    /// Socket ids by user.
    users: HashMap<String, Vec<String>>,
    rooms: HashMap<String, LiveRoom>,
}

#[derive(Debug)]
struct Online {
    socket: Socket,
    identity: Identity,
    /// Those it is in, in the order of joining.
    rooms: Vec<String>,
}

#[derive(Debug)]
pub(super) struct LiveRoom {
    pub(super) key: RoomKey,
    /// In the order of joining.
    participants: Vec<Participant>,
}

#[derive(Debug)]
struct Participant {
    identity: Identity,
    /// In the order of joining; never empty.
    sockets: Vec<String>,
}

/// What leaving a room meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It was not there.
    Nothing,
    /// Others of the user remain; `list` tells whether the list changed all the same.
    Socket { list: bool },
    /// The user is gone from the room.
    User,
}

impl People {
    pub(super) fn come(&mut self, socket: &Socket, identity: &Identity) {
        let id = socket.id().to_owned();
        let sockets = self.users.entry(identity.user_id.clone()).or_default();
        sockets.push(id.clone());
        let online = Online {
            socket: socket.clone(),
            identity: identity.clone(),
            rooms: Vec::new(),
        };
        self.sockets.insert(id, online);
    }

    /// True if it was the user's last.
    pub(super) fn go(&mut self, socket: &Socket, user: &str) -> bool {
        self.sockets.remove(socket.id());
        let Some(sockets) = self.users.get_mut(user) else {
            return false;
        };
        sockets.retain(|id| id != socket.id());
        if !sockets.is_empty() {
            return false;
        }
        self.users.remove(user);
        true
    }

    pub(super) fn socket(&self, id: &str) -> Option<(&Socket, &Identity)> {
        let online = self.sockets.get(id)?;
        Some((&online.socket, &online.identity))
    }

    /// The sockets of a user; none if there is no such user here.
    pub(super) fn sockets_of(&self, user: &str) -> Vec<Socket> {
        let online = self.online(user);
        online.map(|online| online.socket.clone()).collect()
    }

    fn online(&self, user: &str) -> impl Iterator<Item = &Online> {
        let ids = self.users.get(user).into_iter().flatten();
        ids.filter_map(|id| self.sockets.get(id))
    }

    pub(super) fn room(&self, room: &str) -> Option<&LiveRoom> {
        self.rooms.get(room)
    }

    pub(super) fn rooms_of(&self, socket: &Socket) -> Vec<String> {
        let online = self.sockets.get(socket.id());
        online
            .map(|online| online.rooms.clone())
            .unwrap_or_default()
    }

    pub(super) fn share_a_room(&self, one: &str, other: &str) -> bool {
        let mut rooms = self.online(one).flat_map(|online| &online.rooms);
        rooms.any(|room| {
            let room = self.rooms.get(room);
            room.is_some_and(|room| room.has_user(other))
        })
    }

    /// True if the user was not in the room before.
    pub(super) fn join(
        &mut self,
        room: &str,
        key: RoomKey,
        socket: &Socket,
        identity: &Identity,
    ) -> bool {
        if let Some(online) = self.sockets.get_mut(socket.id())
            && !online.rooms.iter().any(|known| known == room)
        {
            online.rooms.push(room.to_owned());
        }
        let live = self.rooms.entry(room.to_owned()).or_insert(LiveRoom {
            key,
            participants: Vec::new(),
        });
        let mut known = live.participants.iter_mut();
        if let Some(known) = known.find(|known| known.identity.user_id == identity.user_id) {
            if !known.sockets.iter().any(|id| id == socket.id()) {
                known.sockets.push(socket.id().to_owned());
            }
            return false;
        }
        live.participants.push(Participant {
            identity: identity.clone(),
            sockets: vec![socket.id().to_owned()],
        });
        true
    }

    pub(super) fn leave(&mut self, room: &str, socket: &Socket) -> Left {
        if let Some(online) = self.sockets.get_mut(socket.id()) {
            online.rooms.retain(|known| known != room);
        }
        let Some(live) = self.rooms.get_mut(room) else {
            return Left::Nothing;
        };
        let mut index = 0;
        while let Some(known) = live.participants.get_mut(index) {
            if let Some(at) = known.sockets.iter().position(|id| id == socket.id()) {
                known.sockets.remove(at);
                if !known.sockets.is_empty() {
                    return Left::Socket { list: at == 0 };
                }
                live.participants.remove(index);
                if live.participants.is_empty() {
                    self.rooms.remove(room);
                }
                return Left::User;
            }
            index += 1;
        }
        Left::Nothing
    }

    /// The list of those in a room, for everybody in it.
    pub(super) fn list(&self, room: &str) -> Value {
        let participants = self.rooms.get(room).into_iter();
        participants
            .flat_map(|room| &room.participants)
            .map(|Participant { identity, sockets }| {
                json!({
                    "userId": identity.user_id,
                    "id": identity.user_id,
                    "_id": identity.user_id,
                    "username": identity.username,
                    "name": identity.username,
                    "socketId": sockets.first(),
                })
            })
            .collect()
    }
}

impl LiveRoom {
    pub(super) fn has_socket(&self, socket: &str) -> bool {
        let mut sockets = self.participants.iter().flat_map(|known| &known.sockets);
        sockets.any(|id| id == socket)
    }

    fn has_user(&self, user: &str) -> bool {
        let mut participants = self.participants.iter();
        participants.any(|known| known.identity.user_id == user)
    }

    /// Everybody in it but one.
    pub(super) fn others(&self, user: &str) -> Vec<String> {
        let participants = self.participants.iter();
        participants
            .map(|known| known.identity.user_id.clone())
            .filter(|id| id != user)
            .collect()
    }
}
