//! Who is in a room at other processes.
//!
//! Pure state. The hub changes it under the room's entry, like the presence of its own
//! connections: what is announced is who is there at any process, each user once.

use std::collections::BTreeMap;

use chat_protocol::ids::UserId;
use smallvec::SmallVec;

use crate::peers::PeerId;

#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    users: BTreeMap<UserId, SmallVec<[PeerId; 2]>>,
}

impl Elsewhere {
    /// False if it was known.
    pub(crate) fn arrive(&mut self, user: UserId, peer: PeerId) -> bool {
        let peers = self.users.entry(user).or_default();
        let is_new = !peers.contains(&peer);
        if is_new {
            peers.push(peer);
        }
        is_new
    }

    /// False if it was known.
    pub(crate) fn leave(&mut self, user: UserId, peer: PeerId) -> bool {
        let Some(peers) = self.users.get_mut(&user) else {
            return false;
        };
        let before = peers.len();
        peers.retain(|other| *other != peer);
        let is_new = peers.len() < before;
        if peers.is_empty() {
            self.users.remove(&user);
        }
        is_new
    }

    pub(crate) fn contains(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        self.users.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_there_as_long_as_anywhere() {
        let (user, other) = (UserId(1), UserId(2));
        let mut elsewhere = Elsewhere::default();
        assert!(elsewhere.arrive(user, PeerId(1)));
        assert!(!elsewhere.arrive(user, PeerId(1)));
        assert!(elsewhere.arrive(user, PeerId(2)));
        assert!(elsewhere.arrive(other, PeerId(2)));
        assert!(elsewhere.leave(user, PeerId(1)));
        assert!(!elsewhere.leave(user, PeerId(1)));
        assert!(elsewhere.contains(user));
        assert!(elsewhere.leave(user, PeerId(2)));
        assert!(!elsewhere.contains(user) && !elsewhere.leave(user, PeerId(2)));
        assert_eq!(elsewhere.users().collect::<Vec<_>>(), [other]);
        assert!(elsewhere.leave(other, PeerId(2)) && elsewhere.is_empty());
    }
}
