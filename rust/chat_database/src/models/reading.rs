use chat_protocol::ids::{RoomId, UserId};

use super::RoomDetails;

/// How far a user has read in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The number of the room's last message, 0 before the first.
    pub last_seq: i64,
    /// Everything up to this number has been read.
    pub last_read_seq: i64,
}

impl Reading {
    /// How many numbers are behind the marker.
    pub fn unread(self) -> i64 {
        (self.last_seq - self.last_read_seq).max(0)
    }
}

/// A room of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRoom {
    pub details: RoomDetails,
    /// None where it is not known, see [`Additions`](crate::Additions).
    pub reading: Option<Reading>,
}

/// Up to where a user says to have read in a room, several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadClaims {
    pub user: UserId,
    pub room: RoomId,
    /// In any order. Those that the room never had change nothing.
    pub seqs: Vec<i64>,
}

/// What claims did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// The number of the room's last message: claims above are void.
    pub last_seq: i64,
    /// Where the marker is now, if it has moved.
    pub moved_to: Option<i64>,
}
