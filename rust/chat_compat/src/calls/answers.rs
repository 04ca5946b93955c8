//! The objects clients see.

use chat_database::compat::{CallRoom, CallUser, CallWithParties};
use serde::Serialize;

use crate::shared::format_time;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserAnswer<'a> {
    id: &'a str,
    name: &'a str,
    sip_peer: Option<&'a str>,
}

impl<'a> From<&'a CallUser> for UserAnswer<'a> {
    fn from(user: &'a CallUser) -> Self {
        Self {
            id: &user.id,
            name: &user.name,
            sip_peer: user.sip_peer.as_deref(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallAnswer<'a> {
    id: &'a str,
    call_id: &'a str,
    from_user_id: &'a str,
    to_user_id: &'a str,
    status: &'a str,
    room_name: &'a str,
    start_time: String,
}

impl<'a> From<&'a CallWithParties> for CallAnswer<'a> {
    fn from(CallWithParties { call, from, to }: &'a CallWithParties) -> Self {
        Self {
            id: &call.id,
            call_id: &call.id,
            from_user_id: &from.id,
            to_user_id: &to.id,
            status: call.status.as_str(),
            room_name: &call.room_name,
            start_time: format_time(call.start_time),
        }
    }
}

/// An answer with what its asker needs for the media server.
#[derive(Serialize)]
pub(super) struct WithToken<'a, T> {
    #[serde(flatten)]
    pub(super) answer: T,
    pub(super) token: &'a str,
    pub(super) url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomAnswer<'a> {
    id: &'a str,
    name: &'a str,
    room_name: &'a str,
    participants: &'a [String],
}

impl<'a> From<&'a CallRoom> for RoomAnswer<'a> {
    fn from(room: &'a CallRoom) -> Self {
        Self {
            id: &room.id,
            name: &room.name,
            room_name: &room.room_name,
            participants: &room.participants,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JoinedAnswer<'a> {
    pub(super) success: bool,
    pub(super) room_id: &'a str,
    pub(super) room_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndedAnswer<'a> {
    pub(super) success: bool,
    pub(super) call_id: &'a str,
    pub(super) status: &'a str,
    pub(super) end_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceAnswer<'a> {
    peer: &'a str,
    status: &'a str,
    address: Option<&'a str>,
    user_id: &'a str,
    last_updated: String,
}

impl<'a> DeviceAnswer<'a> {
    /// The device attached to a user, if there is one.
    pub(super) fn of(user: &'a CallUser) -> Option<Self> {
        Some(Self {
            peer: user.sip_peer.as_deref()?,
            status: "OFFLINE",
            address: None,
            user_id: &user.id,
            last_updated: format_time(user.sip_attached_at?),
        })
    }
}
