//! What the rooms of this hub have to do with those of other processes.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::Position;
use chat_protocol::ids::{RoomId, UserId};
use chrono::Utc;

use super::Registry;
use crate::line::{Line, LineNews};
use crate::peers::{Fetched, PeerId};
use crate::presence::{ConnectedUser, Profile};
use crate::room::{Room, RoomTimer};
use crate::sync::Instant;

/// How long something may be missing before it is fetched. Far longer than messages
/// take from one process to another.
const MISSING_PATIENCE: Duration = Duration::from_millis(250);

impl Registry {
    pub(super) fn tell_presence(&self, room: RoomId, user: UserId, profile: Option<&Profile>) {
        if let Some(peers) = &self.peers {
            peers.tell_presence(room, user, profile);
        }
    }

    /// A connection that is about to join has been let in at this place.
    pub(super) fn begin_line(&self, id: RoomId, room: &mut Room, newest: Position) {
        self.listen_if_used(id, room);
        if let Some(line) = &mut room.line {
            line.begin(newest);
            room.deliver_waiting();
        }
    }

    /// Listens to a room as long as somebody reads it, or is about to.
    pub(super) fn listen_if_used(&self, id: RoomId, room: &mut Room) {
        let Some(peers) = &self.peers else {
            return;
        };
        let listens = room.is_used();
        if listens != room.line.is_some() {
            peers.listen(id, listens);
            room.line = listens.then(Box::<Line>::default);
        }
    }

    /// What is missing is fetched if it does not come by itself.
    pub(super) fn watch_missing(&self, id: RoomId, room: &mut Room) {
        let Some(line) = &mut room.line else {
            return;
        };
        if !room.missing_alarm.is_set() && line.note_missing() {
            let due = Instant::now() + MISSING_PATIENCE;
            room.missing_alarm.set(Some(due));
            self.set_timer(id, room, due, RoomTimer::Missing);
        }
    }

    pub(super) fn fetch_missing(&self, id: RoomId, room: &mut Room) {
        room.missing_alarm.expired(Instant::now());
        if let (Some(peers), Some(line)) = (&self.peers, &room.line)
            && let Some(behind) = line.still_missing()
        {
            peers.fetch(id, behind);
        }
    }

    /// See `Hub::hear_message` and `Hub::hear_change`.
    pub(crate) fn take_up(&self, room: RoomId, news: LineNews) {
        self.with_room(room, |room| {
            // What reaches a room that nobody reads any more is nobody's.
            if room.line.is_some() {
                room.take_up(news);
            }
        });
    }

    /// See `Hub::expect`.
    pub(crate) fn expect(&self, room: RoomId, newest: Position) {
        self.with_room(room, |room| {
            if let Some(line) = &mut room.line {
                line.expect(newest);
            }
        });
    }

    /// See `Hub::fill`.
    pub(crate) fn fill(&self, room: RoomId, fetched: Fetched) {
        self.with_room(room, |room| {
            if let Some(line) = &mut room.line {
                line.fill(fetched);
                room.deliver_waiting();
            }
        });
    }

    /// See `Hub::rooms_listened_to`.
    pub(crate) fn rooms_listened_to(&self) -> Vec<RoomId> {
        let rooms = self.rooms.iter();
        rooms
            .filter(|room| room.line.is_some())
            .map(|room| *room.key())
            .collect()
    }

    /// See `Hub::tell_presences`.
    pub(crate) fn tell_presences(&self) {
        let Some(peers) = &self.peers else {
            return;
        };
        let rooms: Vec<RoomId> = self.rooms.iter().map(|room| *room.key()).collect();
        for id in rooms {
            // Under the entry, so that it does not overtake what happens meanwhile.
            self.with_room(id, |room| {
                for user in room.presence.users() {
                    if let Some(profile) = self.profile(user) {
                        peers.tell_presence(id, user, Some(&profile));
                    }
                }
            });
        }
    }

    /// See `Hub::arrived_elsewhere`.
    pub(crate) fn arrived_elsewhere(&self, peer: PeerId, id: RoomId, profile: Profile) {
        let user = profile.user_id;
        let profile = Arc::new(profile);
        let known = Arc::clone(&profile);
        self.users
            .entry(user)
            .and_modify(|user| {
                user.uses += 1;
                user.profile = Arc::clone(&profile);
            })
            .or_insert_with(|| ConnectedUser {
                profile: known,
                uses: 1,
                told_of_reads: Vec::new(),
            });
        let room = self.rooms.entry(id);
        let mut room = room.or_insert_with(|| Room::new(self.shards.len()));
        let was_there = room.contains(user);
        let is_new = room.elsewhere.arrive(user, peer);
        if !was_there {
            room.announce_join(user, Utc::now());
        }
        self.advance(id, &mut room);
        drop(room);
        if !is_new {
            self.let_user_go(user);
        }
    }

    /// See `Hub::left_elsewhere`.
    pub(crate) fn left_elsewhere(&self, peer: PeerId, id: RoomId, user: UserId) {
        let mut is_new = false;
        self.with_room(id, |room| {
            is_new = room.elsewhere.leave(user, peer);
            if is_new && !room.contains(user) {
                if room.typists.remove(user) {
                    self.announce_end_of_typing(room, user);
                }
                self.announce_leave(room, user);
            }
        });
        if is_new {
            self.let_user_go(user);
        }
    }
}
