//! A room as the hub keeps it: who is there, and what is on its way to them.

use std::collections::BTreeSet;

use chat_protocol::ids::{RoomId, UserId};
use chat_protocol::{EncodedFrame, ServerFrame};
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::connection::ConnectionRef;
use crate::flow::RoomFlow;
use crate::presence::RoomPresence;
use crate::round::{Audience, Delivery, Importance, Round};

/// Users whose coming and going a connection was spared.
pub(crate) type MissedPresence = BTreeSet<UserId>;

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

    /// Tells everybody that a user came.
    pub(crate) fn announce_join(&mut self, user_id: UserId, timestamp: DateTime<Utc>) {
        self.announce(user_id, &ServerFrame::UserJoined { user_id, timestamp });
    }

    /// Tells everybody that a user went.
    pub(crate) fn announce_leave(&mut self, user_id: UserId, timestamp: DateTime<Utc>) {
        self.announce(user_id, &ServerFrame::UserLeft { user_id, timestamp });
    }

    fn announce(&mut self, user: UserId, frame: &ServerFrame<'_>) {
        self.flow.push(Delivery {
            frame: frame.encode(),
            audience: Audience::Everybody,
            importance: Importance::Presence(user),
            _permit: None,
        });
    }

    /// Tells one connection how it is now with users whose coming and going it has
    /// missed. Each gets a frame, whatever the connection believes: what else is on
    /// its way to it may say something older.
    pub(crate) fn catch_up(&mut self, to: ConnectionRef, missed: MissedPresence) {
        let timestamp = Utc::now();
        for user_id in missed {
            let frame = if self.presence.contains(user_id) {
                ServerFrame::UserJoined { user_id, timestamp }
            } else {
                ServerFrame::UserLeft { user_id, timestamp }
            };
            self.push_only(to, frame.encode());
        }
    }

    /// Takes up a frame for one connection, behind everything so far.
    pub(crate) fn push_only(&mut self, to: ConnectionRef, frame: EncodedFrame) {
        self.flow.push(Delivery {
            frame,
            audience: Audience::Only(to),
            importance: Importance::Required,
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
        let (first, deliveries) = self.flow.begin_round(Instant::now());
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
