//! Tables `rooms` and `user_rooms`.

use std::sync::Arc;

use chat_protocol::ids::{RoomId, UserId};
use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use super::{Int, User};
use crate::schema::rooms;

/// A row of `rooms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub id: RoomId,
    pub name: String,
    pub description: Option<String>,
    /// NULL in the table is shown as false, so it also counts as public.
    pub is_private: bool,
    /// Old databases may hold rooms without an owner.
    pub owner_id: Option<UserId>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// A room with the people in it.
///
/// Users are shared: in a list of rooms the same user occurs many times but is
/// in memory once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomDetails {
    pub room: Room,
    pub owner: Option<Arc<User>>,
    /// Each member once, in ascending order of the ids.
    pub members: Vec<Arc<User>>,
}

/// A room and whether one user has a membership row in it; for a public room
/// that may not have been looked up and be false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomAccess {
    pub room: Room,
    pub is_member: bool,
}

impl RoomAccess {
    /// Whether `user` may read and write here. `user` is the one the access
    /// was looked up for.
    pub fn allows(&self, user: UserId) -> bool {
        !self.room.is_private || self.is_member || self.room.owner_id == Some(user)
    }
}

/// A room to create; its owner becomes the first member.
#[derive(Clone, Debug)]
pub struct NewRoom {
    pub name: String,
    pub description: Option<String>,
    pub is_private: bool,
    pub owner_id: UserId,
}

/// What to change in a room; `None` leaves a column as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomChanges {
    pub name: Option<String>,
    /// `Some(None)` clears the description.
    pub description: Option<Option<String>>,
    pub is_private: Option<bool>,
}

impl RoomChanges {
    /// Only what differs from `room`; `None` if nothing does.
    pub(crate) fn differing_from(self, room: &Room) -> Option<Self> {
        let differing = Self {
            name: self.name.filter(|new| *new != room.name),
            description: self.description.filter(|new| *new != room.description),
            is_private: self.is_private.filter(|new| *new != room.is_private),
        };
        (differing != Self::default()).then_some(differing)
    }
}

/// The outcome of joining a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    Added,
    /// There was a membership row; nothing was written.
    Already,
}

pub(crate) type RoomColumns = (
    rooms::id,
    rooms::name,
    rooms::description,
    rooms::is_private,
    rooms::owner_id,
    rooms::created_at,
    rooms::updated_at,
);

pub(crate) const ROOM_COLUMNS: RoomColumns = (
    rooms::id,
    rooms::name,
    rooms::description,
    rooms::is_private,
    rooms::owner_id,
    rooms::created_at,
    rooms::updated_at,
);

type RoomRow = (
    Int,
    String,
    Option<String>,
    Option<bool>,
    Option<Int>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

impl<ST, DB> Queryable<ST, DB> for Room
where
    DB: Backend,
    RoomRow: FromStaticSqlRow<ST, DB>,
{
    type Row = RoomRow;

    fn build(row: RoomRow) -> deserialize::Result<Self> {
        let (id, name, description, is_private, owner_id, created_at, updated_at) = row;
        Ok(Self {
            id: RoomId(id.0),
            name,
            description,
            is_private: is_private.unwrap_or(false),
            owner_id: owner_id.map(|id| UserId(id.0)),
            created_at,
            updated_at,
        })
    }
}
