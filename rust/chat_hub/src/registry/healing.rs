//! Ends of connections, absences, and what a room's timers are for.

use chat_protocol::EncodedFrame;
use chat_protocol::ids::{RoomId, UserId};
use chrono::Utc;

use super::Registry;
use crate::connection::ConnectionRef;
use crate::disconnect::DisconnectReason;
use crate::presence::Departure;
use crate::room::{Room, RoomTimer};
use crate::seat::RoomSeat;
use crate::shard::Selector;
use crate::sync::{Entry, Instant};

impl Registry {
    /// Counts a reader of a room out. If it was the user's last, the user is away for a
    /// while, or has left.
    pub(crate) fn leave(
        &self,
        connection: ConnectionRef,
        seat: &RoomSeat,
        reason: DisconnectReason,
    ) {
        let shard = connection.shard;
        self.count_out(shard);
        let (user_id, room_id) = (seat.user_id, seat.room_id);
        let grace = match reason {
            DisconnectReason::AccessRevoked | DisconnectReason::ServiceRestart => None,
            _ => self.presence_grace,
        };
        let mut departure = Departure::Gone;
        self.with_room(room_id, |room| {
            room.asking.count_out(seat.events.get());
            let until = grace.map(|grace| Instant::now() + grace);
            departure = room.presence.leave(user_id, shard, until);
            if departure != Departure::NotLast && room.typists.remove(user_id) {
                self.announce_end_of_typing(room, user_id);
            }
            match departure {
                Departure::NotLast => {}
                Departure::Away => self.watch_absences(room_id, room),
                Departure::Gone => self.end_presence(room_id, room, user_id),
            }
        });
        self.tell_no_more_of_reads(user_id, connection, seat.events.get());
        // Whoever is away is still shown.
        if departure != Departure::Away {
            self.let_user_go(user_id);
        }
    }

    /// A user is not there any more at this process.
    fn end_presence(&self, id: RoomId, room: &mut Room, user: UserId) {
        self.tell_presence(id, user, None);
        if !room.elsewhere.contains(user) {
            self.announce_leave(room, user);
        }
    }

    pub(super) fn announce_leave(&self, room: &mut Room, user: UserId) {
        // In a room that ends with the service nobody leaves: all go at once.
        if self.is_accepting() {
            room.announce_leave(user, Utc::now());
        }
    }

    fn watch_absences(&self, id: RoomId, room: &mut Room) {
        let due = room.presence.next_absence_end();
        if let Some(due) = room.absence_alarm.set(due) {
            self.set_timer(id, room, due, RoomTimer::Absence);
        }
    }

    fn watch_typists(&self, id: RoomId, room: &mut Room) {
        let due = room.typists.next_end();
        if let Some(due) = room.typing_alarm.set(due) {
            self.set_timer(id, room, due, RoomTimer::Typing);
        }
    }

    pub(super) fn announce_end_of_typing(&self, room: &mut Room, typist: UserId) {
        if let Some(typist) = self.profile(typist).filter(|_| self.is_accepting()) {
            room.announce_end_of_typing(&typist);
        }
    }

    /// See `Hub::publish_typing`.
    pub(crate) fn publish_typing(
        &self,
        id: RoomId,
        author: UserId,
        is_typing: bool,
        frame: EncodedFrame,
    ) {
        self.with_room(id, |room| {
            room.typists.note(author, is_typing, Instant::now());
            self.watch_typists(id, room);
            room.flow.push_lossy(author, frame);
        });
    }

    /// Those who are away and whom the selector is about have left.
    pub(crate) fn end_absences(&self, selector: &Selector) {
        if self.presence_grace.is_none() {
            return;
        }
        let rooms: Vec<RoomId> = match selector.room() {
            Some(room) => vec![room],
            None => self.rooms.iter().map(|room| *room.key()).collect(),
        };
        for id in rooms {
            let mut gone = Vec::new();
            self.with_room(id, |room| {
                gone = room
                    .presence
                    .end_absences_of(|user| selector.selects(user, id));
                for user in &gone {
                    self.end_presence(id, room, *user);
                }
            });
            gone.into_iter().for_each(|user| self.let_user_go(user));
        }
    }

    /// Ends one use of a user's profile.
    pub(super) fn let_user_go(&self, user: UserId) {
        if let Entry::Occupied(mut user) = self.users.entry(user) {
            user.get_mut().uses -= 1;
            if user.get().uses == 0 {
                user.remove();
            }
        }
    }

    pub(crate) fn timer_expired(&self, id: RoomId, timer: RoomTimer) {
        let mut gone = Vec::new();
        self.with_room(id, |room| match timer {
            RoomTimer::Flow(timer) => room.flow.timer_expired(timer),
            RoomTimer::Absence => {
                let now = Instant::now();
                room.absence_alarm.expired(now);
                gone = room.presence.end_absences(now);
                for user in &gone {
                    self.end_presence(id, room, *user);
                }
                self.watch_absences(id, room);
            }
            RoomTimer::Typing => {
                let now = Instant::now();
                room.typing_alarm.expired(now);
                for typist in room.typists.expire(now) {
                    self.announce_end_of_typing(room, typist);
                }
                self.watch_typists(id, room);
            }
            RoomTimer::Missing => self.fetch_missing(id, room),
        });
        gone.into_iter().for_each(|user| self.let_user_go(user));
    }
}
