//! Who is in a room: derived from its connections, each user once.
//!
//! Pure state. The hub changes it under the room's entry, together with the
//! frames that announce the change.
//!
//! A user whose last connection has ended can stay for a while without one: away.
//! To the others nothing has happened then, and if the user is back in time nothing
//! has. So what is announced of a user, joined and left, alternates.
//!
//! It also decides on which shard a room's next reader lives. A room keeps to one
//! shard while that serves it well: a message then wakes one thread, and all its
//! readers are written in the same rounds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chat_protocol::ids::UserId;

use crate::connection::ConnectionRef;

use crate::sync::Instant;
use crate::sync::READERS_BEFORE_SPREADING;

/// What others see of a connected user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub user_id: UserId,
    pub username: String,
    pub full_name: Option<String>,
}

/// The connections of one room, counted per user and per shard.
#[derive(Debug)]
pub(crate) struct RoomPresence {
    users: HashMap<UserId, OnlineUser>,
    /// Users in the order of their first connection.
    order: BTreeMap<u64, UserId>,
    next_arrival: u64,
    readers_per_shard: Box<[u32]>,
    /// Those without a connection, by the time until which they may come back.
    away: BTreeSet<(Instant, UserId)>,
}

#[derive(Debug)]
struct OnlineUser {
    arrival: u64,
    connections: u32,
    /// None with a connection.
    away_until: Option<Instant>,
}

/// What a new connection is to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The user was not there: announce it.
    First,
    /// The user was away.
    Back,
    /// The user has others.
    Another,
}

/// What the end of a connection is to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// The user has others.
    NotLast,
    /// The user has none now, and stays for a while.
    Away,
    /// The user is not there any more: announce it.
    Gone,
}

impl RoomPresence {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            users: HashMap::new(),
            order: BTreeMap::new(),
            next_arrival: 0,
            readers_per_shard: vec![0; shards].into_boxed_slice(),
            away: BTreeSet::new(),
        }
    }

    /// The shard for the next reader; `connections` has the connections of every shard.
    pub(crate) fn shard_for_next(&self, connections: impl Iterator<Item = usize>) -> usize {
        let readers = self.readers_per_shard.iter().copied().enumerate();
        let home = readers.clone().max_by_key(|(_, readers)| *readers);
        match home {
            Some((home, 1..READERS_BEFORE_SPREADING)) => home,
            _ => readers
                .zip(connections)
                .min_by_key(|((_, readers), connections)| (*readers, *connections))
                .map_or(0, |((shard, _), _)| shard),
        }
    }

    /// Counts a connection in.
    pub(crate) fn join(&mut self, user: UserId, shard: usize) -> Arrival {
        self.readers_per_shard[shard] += 1;
        if let Some(online) = self.users.get_mut(&user) {
            online.connections += 1;
            return match online.away_until.take() {
                Some(until) => {
                    self.away.remove(&(until, user));
                    Arrival::Back
                }
                None => Arrival::Another,
            };
        }
        self.users.insert(
            user,
            OnlineUser {
                arrival: self.next_arrival,
                connections: 1,
                away_until: None,
            },
        );
        self.order.insert(self.next_arrival, user);
        self.next_arrival += 1;
        Arrival::First
    }

    /// Counts a connection out. If it was the user's last, the user is away until
    /// `until`, or gone if there is no such time.
    pub(crate) fn leave(
        &mut self,
        user: UserId,
        shard: usize,
        until: Option<Instant>,
    ) -> Departure {
        let Some(online) = self.users.get_mut(&user) else {
            return Departure::NotLast;
        };
        self.readers_per_shard[shard] = self.readers_per_shard[shard].saturating_sub(1);
        online.connections = online.connections.saturating_sub(1);
        if online.connections > 0 {
            return Departure::NotLast;
        }
        if let Some(until) = until {
            online.away_until = Some(until);
            self.away.insert((until, user));
            return Departure::Away;
        }
        self.remove(user);
        Departure::Gone
    }

    /// When the first of those who are away is gone.
    pub(crate) fn next_absence_end(&self) -> Option<Instant> {
        self.away.first().map(|(until, _)| *until)
    }

    /// Removes those who have been away too long.
    pub(crate) fn end_absences(&mut self, now: Instant) -> Vec<UserId> {
        let mut gone = Vec::new();
        while let Some((until, user)) = self.away.first().copied()
            && until <= now
        {
            self.away.pop_first();
            self.remove(user);
            gone.push(user);
        }
        gone
    }

    /// Removes those of the users who are away.
    pub(crate) fn end_absences_of(&mut self, users: impl Fn(UserId) -> bool) -> Vec<UserId> {
        let (gone, away) = std::mem::take(&mut self.away)
            .into_iter()
            .partition::<BTreeSet<_>, _>(|(_, user)| users(*user));
        self.away = away;
        let gone: Vec<UserId> = gone.into_iter().map(|(_, user)| user).collect();
        gone.iter().for_each(|user| self.remove(*user));
        gone
    }

    fn remove(&mut self, user: UserId) {
        if let Some(online) = self.users.remove(&user) {
            self.order.remove(&online.arrival);
        }
    }

    pub(crate) fn contains(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Users in the order of their first connection.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        self.order.values().copied()
    }

    /// The shards that have at least one reader of the room.
    pub(crate) fn shards(&self) -> impl Iterator<Item = usize> + '_ {
        self.readers_per_shard
            .iter()
            .enumerate()
            .filter(|(_, readers)| **readers > 0)
            .map(|(shard, _)| shard)
    }
}

/// The current profile of a user, and how many connections, and rooms in which the
/// user is away, keep it here.
#[derive(Debug)]
pub(crate) struct ConnectedUser {
    pub(crate) profile: Arc<Profile>,
    pub(crate) uses: u32,
    /// The connections, in whatever room, that are told what the user reads.
    pub(crate) told_of_reads: Vec<ConnectionRef>,
}

#[cfg(test)]
#[path = "presence/tests.rs"]
mod tests;
