//! A room as the hub keeps it: who is there, and what is on its way to them.

use chat_protocol::ids::RoomId;
use chat_protocol::{EncodedFrame, ServerFrame};
use chrono::{DateTime, Utc};

use crate::flow::RoomFlow;
use crate::presence::RoomPresence;
use crate::round::{Audience, Delivery, Importance, Round};

#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) presence: RoomPresence,
    pub(crate) flow: RoomFlow,
}

impl Room {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            presence: RoomPresence::new(shards),
            flow: RoomFlow::default(),
        }
    }

    /// Whether nothing would be lost by forgetting it.
    pub(crate) fn is_done(&self) -> bool {
        self.presence.is_empty() && self.flow.is_idle()
    }

    /// Tells everybody who came or went.
    pub(crate) fn announce(&mut self, frame: &ServerFrame<'_>) {
        self.flow.push(Delivery {
            frame: frame.encode(),
            audience: Audience::Everybody,
            importance: Importance::Presence,
            _permit: None,
        });
    }

    /// The list of those who are there.
    pub(crate) fn users_online(&self, timestamp: DateTime<Utc>) -> EncodedFrame {
        let users: Vec<_> = self.presence.users().collect();
        ServerFrame::UsersOnline {
            users: &users,
            count: users.len(),
            timestamp,
        }
        .encode()
    }

    /// Takes the next round, with the shards that must write it; none if there
    /// is nobody to write to.
    pub(crate) fn begin_round(&mut self, id: RoomId) -> Option<(Round, Vec<usize>)> {
        let (first, deliveries) = self.flow.begin_round();
        let round = Round::new(id, first, deliveries);
        let shards: Vec<usize> = if round.is_for_most() {
            self.presence.shards().collect()
        } else {
            let mut shards: Vec<usize> =
                round.targets().iter().map(|target| target.shard).collect();
            shards.sort_unstable();
            shards.dedup();
            shards
        };
        if shards.is_empty() {
            self.flow.end_round();
            return None;
        }
        round.expect_shards(shards.len());
        Some((round, shards))
    }
}
