//! Tables `compat_call_users`, `compat_calls`, `compat_call_rooms` and
//! `compat_call_room_members`.

use chat_protocol::ids::UserId;
use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use crate::schema::compat::{compat_call_rooms, compat_call_users, compat_calls};

/// Somebody who can call and be called; a name is all there is to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallUser {
    pub(crate) key: i64,
    pub id: String,
    pub name: String,
    pub sip_peer: Option<String>,
    pub sip_attached_at: Option<DateTime<Utc>>,
    /// The IzpoChat account that made it.
    pub owner: Option<UserId>,
}

/// A user to create.
#[derive(Clone, Debug)]
pub struct NewCallUser {
    pub id: String,
    pub name: String,
    pub owner: Option<UserId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStatus {
    Initiated,
    Active,
    Ended,
}

impl CallStatus {
    /// The name in the table and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Active => "active",
            Self::Ended => "ended",
        }
    }
}

/// A call between two users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(crate) key: i64,
    pub(crate) from_key: i64,
    pub(crate) to_key: i64,
    pub id: String,
    pub room_name: String,
    pub status: CallStatus,
    pub start_time: DateTime<Utc>,
    pub end_time: Option<DateTime<Utc>>,
}

/// A call with caller and callee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallWithParties {
    pub call: Call,
    pub from: CallUser,
    pub to: CallUser,
}

/// A voice room and the public ids of who has joined it, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRoom {
    pub(crate) key: i64,
    pub id: String,
    pub name: String,
    pub room_name: String,
    pub participants: Vec<String>,
}

/// A call that was asked to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedCall {
    pub id: String,
    pub end_time: DateTime<Utc>,
    /// False if it had ended before.
    pub is_news: bool,
}

/// What a media token can be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaRoom {
    Call(Box<CallWithParties>),
    Room(CallRoom),
}

pub(crate) const CALL_USER_COLUMNS: (
    compat_call_users::id,
    compat_call_users::public_id,
    compat_call_users::name,
    compat_call_users::sip_peer,
    compat_call_users::sip_attached_at,
    compat_call_users::owner_id,
) = (
    compat_call_users::id,
    compat_call_users::public_id,
    compat_call_users::name,
    compat_call_users::sip_peer,
    compat_call_users::sip_attached_at,
    compat_call_users::owner_id,
);

type UserRow = (
    i64,
    String,
    String,
    Option<String>,
    Option<DateTime<Utc>>,
    Option<i32>,
);

impl<ST, DB> Queryable<ST, DB> for CallUser
where
    DB: Backend,
    UserRow: FromStaticSqlRow<ST, DB>,
{
    type Row = UserRow;

    fn build(row: UserRow) -> deserialize::Result<Self> {
        let (key, id, name, sip_peer, sip_attached_at, owner) = row;
        Ok(Self {
            key,
            id,
            name,
            sip_peer,
            sip_attached_at,
            owner: owner.map(UserId),
        })
    }
}

pub(crate) const CALL_COLUMNS: (
    compat_calls::id,
    compat_calls::from_user_id,
    compat_calls::to_user_id,
    compat_calls::public_id,
    compat_calls::room_name,
    compat_calls::status,
    compat_calls::start_time,
    compat_calls::end_time,
) = (
    compat_calls::id,
    compat_calls::from_user_id,
    compat_calls::to_user_id,
    compat_calls::public_id,
    compat_calls::room_name,
    compat_calls::status,
    compat_calls::start_time,
    compat_calls::end_time,
);

type CallRow = (
    i64,
    i64,
    i64,
    String,
    String,
    String,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
);

impl<ST, DB> Queryable<ST, DB> for Call
where
    DB: Backend,
    CallRow: FromStaticSqlRow<ST, DB>,
{
    type Row = CallRow;

    fn build(row: CallRow) -> deserialize::Result<Self> {
        let (key, from_key, to_key, id, room_name, status, start_time, end_time) = row;
        Ok(Self {
            key,
            from_key,
            to_key,
            id,
            room_name,
            status: match status.as_str() {
                "initiated" => CallStatus::Initiated,
                "active" => CallStatus::Active,
                _ => CallStatus::Ended,
            },
            start_time,
            end_time,
        })
    }
}

pub(crate) const CALL_ROOM_COLUMNS: (
    compat_call_rooms::id,
    compat_call_rooms::public_id,
    compat_call_rooms::name,
    compat_call_rooms::room_name,
) = (
    compat_call_rooms::id,
    compat_call_rooms::public_id,
    compat_call_rooms::name,
    compat_call_rooms::room_name,
);

type CallRoomRow = (i64, String, String, String);

impl<ST, DB> Queryable<ST, DB> for CallRoom
where
    DB: Backend,
    CallRoomRow: FromStaticSqlRow<ST, DB>,
{
    type Row = CallRoomRow;

    fn build(row: CallRoomRow) -> deserialize::Result<Self> {
        let (key, id, name, room_name) = row;
        Ok(Self {
            key,
            id,
            name,
            room_name,
            participants: Vec::new(),
        })
    }
}
