//! Who is in a room: derived from its connections, each user once.
//!
//! Pure state. The hub changes it under the room's entry, together with the
//! frames that announce the change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chat_protocol::ids::UserId;

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
}
