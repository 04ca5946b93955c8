//! Who is in which room at other processes, as they say.
//!
//! Each says what changes, and from time to time everything: then what it does not
//! say any more is over.

use std::collections::{HashMap, HashSet};

use chat_cluster::NodeId;
use chat_hub::{Hub, PeerId, Profile};
use chat_protocol::ids::{RoomId, UserId};

type Presence = (RoomId, UserId);

#[derive(Debug)]
pub(super) struct Presences {
    hub: Hub,
    nodes: HashMap<NodeId, AtNode>,
    next_peer: u64,
}

#[derive(Debug)]
struct AtNode {
    peer: PeerId,
    present: HashSet<Presence>,
    /// Not said again since the process began to say everything.
    unconfirmed: HashSet<Presence>,
}

impl Presences {
    pub(super) fn new(hub: Hub) -> Self {
        Self {
            hub,
            nodes: HashMap::new(),
            next_peer: 0,
        }
    }

    fn at(&mut self, node: NodeId) -> &mut AtNode {
        self.nodes.entry(node).or_insert_with(|| {
            self.next_peer += 1;
            AtNode {
                peer: PeerId(self.next_peer),
                present: HashSet::new(),
                unconfirmed: HashSet::new(),
            }
        })
    }

    pub(super) fn begin_anew(&mut self, node: NodeId) {
        let at = self.at(node);
        at.unconfirmed.clone_from(&at.present);
    }

    pub(super) fn end(&mut self, node: NodeId) {
        for (room, user) in std::mem::take(&mut self.at(node).unconfirmed) {
            self.left(node, room, user);
        }
    }

    pub(super) fn arrived(&mut self, node: NodeId, room: RoomId, profile: Profile) {
        let presence = (room, profile.user_id);
        let at = self.at(node);
        at.unconfirmed.remove(&presence);
        if at.present.insert(presence) {
            let peer = at.peer;
            self.hub.arrived_elsewhere(peer, room, profile);
        }
    }

    pub(super) fn left(&mut self, node: NodeId, room: RoomId, user: UserId) {
        let at = self.at(node);
        at.unconfirmed.remove(&(room, user));
        if at.present.remove(&(room, user)) {
            let peer = at.peer;
            self.hub.left_elsewhere(peer, room, user);
        }
    }

    pub(super) fn node_gone(&mut self, node: NodeId) {
        if let Some(at) = self.nodes.remove(&node) {
            for (room, user) in at.present {
                self.hub.left_elsewhere(at.peer, room, user);
            }
        }
    }
}
