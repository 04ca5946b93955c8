//! Tables `compat_rooms` and `compat_room_members`.

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use super::System;
use crate::schema::compat::compat_rooms;

/// Names a room inside the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomKey(pub(crate) i64);

/// Who may be in a room, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoomKind {
    Private,
    Group,
    Public,
}

impl RoomKind {
    /// The name in the table and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Group => "group",
            Self::Public => "public",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Private, Self::Group, Self::Public]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    /// With fewer participants left, the room is deleted.
    pub(crate) fn fewest_participants(self) -> usize {
        match self {
            Self::Private | Self::Group => 2,
            Self::Public => 1,
        }
    }
}

/// An account as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: String,
    pub username: String,
}

/// A row of `compat_rooms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub key: RoomKey,
    pub id: String,
    pub name: String,
    pub kind: RoomKind,
    pub description: String,
    pub created_at: DateTime<Utc>,
    pub(crate) creator_key: Option<i64>,
}

/// A room with the people in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomWithPeople {
    pub room: Room,
    /// None if the account is gone.
    pub creator: Option<Person>,
    /// In the order of joining.
    pub participants: Vec<Person>,
}

impl RoomWithPeople {
    /// Whether the account of this public id takes part.
    pub fn has(&self, account: &str) -> bool {
        self.participants.iter().any(|person| person.id == account)
    }
}

/// A room to create, with its creator as the first participant.
#[derive(Clone, Debug)]
pub struct NewRoom {
    pub system: System,
    pub id: String,
    pub creator: String,
    /// Public ids of the others, in order; the creator may be among them.
    pub others: Vec<String>,
    pub room: RoomToMake,
}

/// What distinguishes the kinds at creation.
#[derive(Clone, Debug)]
pub enum RoomToMake {
    /// Named for its two participants; one per pair.
    Private,
    Group {
        name: String,
    },
    Public {
        name: String,
        description: String,
    },
}

/// The outcome of creating a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreatedRoom {
    Created(RoomWithPeople),
    /// The pair has its private room already.
    Existing(RoomWithPeople),
    /// Where names are unique.
    NameTaken,
    /// The creator's account is gone.
    NoCreator,
    /// One of the others does not exist.
    NoParticipant,
}

/// The outcome of leaving a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    NoRoom,
    NotAMember,
    /// The room as it is now.
    Remains(RoomWithPeople),
    /// Too few were left, these.
    Deleted(Vec<Person>),
}

pub(crate) const ROOM_COLUMNS: (
    compat_rooms::id,
    compat_rooms::public_id,
    compat_rooms::name,
    compat_rooms::kind,
    compat_rooms::description,
    compat_rooms::created_at,
    compat_rooms::creator_id,
) = (
    compat_rooms::id,
    compat_rooms::public_id,
    compat_rooms::name,
    compat_rooms::kind,
    compat_rooms::description,
    compat_rooms::created_at,
    compat_rooms::creator_id,
);

type Row = (
    i64,
    String,
    String,
    String,
    String,
    DateTime<Utc>,
    Option<i64>,
);

impl<ST, DB> Queryable<ST, DB> for Room
where
    DB: Backend,
    Row: FromStaticSqlRow<ST, DB>,
{
    type Row = Row;

    fn build(row: Row) -> deserialize::Result<Self> {
        let (key, id, name, kind, description, created_at, creator_key) = row;
        Ok(Self {
            key: RoomKey(key),
            id,
            name,
            kind: RoomKind::from_name(&kind).ok_or("a room of an unknown kind")?,
            description,
            created_at,
            creator_key,
        })
    }
}
