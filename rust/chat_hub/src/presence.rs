//! Who is in a room: derived from its connections, each user once.
//!
//! Pure state. The hub changes it under the room's entry, together with the
//! frames that announce the change.
//!
//! It also decides on which shard a room's next reader lives. A room keeps to one
//! shard while that serves it well: a message then wakes one thread, and all its
//! readers are written in the same rounds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chat_protocol::ids::UserId;

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
}

#[derive(Debug)]
struct OnlineUser {
    arrival: u64,
    connections: u32,
}

impl RoomPresence {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            users: HashMap::new(),
            order: BTreeMap::new(),
            next_arrival: 0,
            readers_per_shard: vec![0; shards].into_boxed_slice(),
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

    /// Counts a connection in; true if it is the user's first.
    pub(crate) fn join(&mut self, user: UserId, shard: usize) -> bool {
        self.readers_per_shard[shard] += 1;
        if let Some(online) = self.users.get_mut(&user) {
            online.connections += 1;
            return false;
        }
        self.users.insert(
            user,
            OnlineUser {
                arrival: self.next_arrival,
                connections: 1,
            },
        );
        self.order.insert(self.next_arrival, user);
        self.next_arrival += 1;
        true
    }

    /// Counts a connection out; true if it was the user's last.
    pub(crate) fn leave(&mut self, user: UserId, shard: usize) -> bool {
        let Some(online) = self.users.get_mut(&user) else {
            return false;
        };
        self.readers_per_shard[shard] = self.readers_per_shard[shard].saturating_sub(1);
        online.connections -= 1;
        if online.connections > 0 {
            return false;
        }
        let arrival = online.arrival;
        self.users.remove(&user);
        self.order.remove(&arrival);
        true
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

/// The current profile of a connected user, and how many connections keep it here.
#[derive(Debug)]
pub(crate) struct ConnectedUser {
    pub(crate) profile: Arc<Profile>,
    pub(crate) connections: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_counts_once_whatever_the_connections() {
        let mut room = RoomPresence::new(2);
        assert!(room.join(UserId(7), 0));
        assert!(!room.join(UserId(7), 1));
        assert!(room.join(UserId(5), 1));
        assert_eq!(room.users().collect::<Vec<_>>(), [UserId(7), UserId(5)]);
        assert!(!room.leave(UserId(7), 0));
        assert_eq!(room.shards().collect::<Vec<_>>(), [1]);
        assert!(room.leave(UserId(7), 1));
        assert!(!room.leave(UserId(7), 1));
        assert!(room.leave(UserId(5), 1));
        assert!(room.is_empty());
    }

    #[test]
    fn a_room_keeps_to_one_shard_until_it_is_large() {
        let mut room = RoomPresence::new(3);
        let mut next = || {
            let shard = room.shard_for_next([5, 3, 4].into_iter());
            room.join(UserId(1), shard);
            shard
        };
        for _ in 0..READERS_BEFORE_SPREADING {
            assert_eq!(next(), 1, "the least busy shard at first");
        }
        assert_eq!([next(), next()], [2, 0]);
        for _ in 0..2 * (READERS_BEFORE_SPREADING - 1) {
            assert_ne!(next(), 1);
        }
        assert_eq!(next(), 1);
    }
}
