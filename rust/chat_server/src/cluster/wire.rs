//! What processes say to each other about rooms.
//!
//! Encoded by postcard, which numbers what follows in the order it stands here: processes
//! of two versions that serve one database together must agree on it, so new things are
//! added at the end.

use std::collections::HashSet;

use chat_hub::{ChangePublication, Notice, Profile, Publication};
use chat_protocol::EncodedFrame;
use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use serde::{Deserialize, Serialize};

/// To all processes.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum ToAll<'a> {
    /// Say who is with you.
    WhoIsThere,
    /// What follows is everybody who is with me, up to the end.
    AllPresences,
    PresencesEnd,
    Present {
        room: RoomId,
        #[serde(borrow)]
        profile: WireProfile<'a>,
    },
    Absent {
        room: RoomId,
        user: UserId,
    },
    Notice(WireNotice<'a>),
    /// The sibling systems live with me.
    Home,
}

/// To the processes that have readers of a room. Frames are their text.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum ToRoom<'a> {
    #[serde(borrow)]
    Message(WireMessage<'a>),
    Change(WireChange<'a>),
    Typing {
        author: UserId,
        is_typing: bool,
        frame: &'a str,
    },
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct WireProfile<'a> {
    user: UserId,
    username: &'a str,
    full_name: Option<&'a str>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct WireMessage<'a> {
    seq: Option<Seq>,
    #[serde(borrow)]
    frame: &'a str,
    own: Option<(UserId, &'a str)>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct WireChange<'a> {
    change: Change,
    seq: Seq,
    frame: &'a str,
    message: &'a str,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) enum WireNotice<'a> {
    RevokeUser(UserId),
    RevokeUserInRoom(UserId, RoomId),
    RevokeRoomExcept(RoomId, HashSet<UserId>),
    #[serde(borrow)]
    UpdateProfile(WireProfile<'a>),
    Read(UserId, &'a str),
    ForgetTail(RoomId),
}

pub(super) fn encode(message: &impl Serialize) -> Vec<u8> {
    // Plain data and memory: there is nothing that can fail.
    postcard::to_stdvec(message).unwrap_or_default()
}

/// None if it is none of ours; that is logged.
pub(super) fn decode<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Option<T> {
    match postcard::from_bytes(payload) {
        Ok(message) => Some(message),
        Err(error) => {
            tracing::debug!(%error, "another process said something that nobody understands");
            None
        }
    }
}

/// The frame of this text.
pub(super) fn frame(text: &str) -> EncodedFrame {
    EncodedFrame::text(|payload| payload.extend_from_slice(text.as_bytes()))
}

impl<'a> From<&'a Profile> for WireProfile<'a> {
    fn from(profile: &'a Profile) -> Self {
        Self {
            user: profile.user_id,
            username: &profile.username,
            full_name: profile.full_name.as_deref(),
        }
    }
}

impl From<WireProfile<'_>> for Profile {
    fn from(profile: WireProfile<'_>) -> Self {
        Self {
            user_id: profile.user,
            username: profile.username.to_owned(),
            full_name: profile.full_name.map(str::to_owned),
        }
    }
}

impl<'a> From<&'a Publication> for WireMessage<'a> {
    fn from(publication: &'a Publication) -> Self {
        let own = publication.own.as_ref();
        Self {
            seq: publication.seq,
            frame: publication.frame.text_payload(),
            own: own.map(|(user, frame)| (*user, frame.text_payload())),
        }
    }
}

impl From<WireMessage<'_>> for Publication {
    fn from(message: WireMessage<'_>) -> Self {
        Self {
            seq: message.seq,
            frame: frame(message.frame),
            own: message.own.map(|(user, text)| (user, frame(text))),
        }
    }
}

impl<'a> From<&'a ChangePublication> for WireChange<'a> {
    fn from(publication: &'a ChangePublication) -> Self {
        Self {
            change: publication.change,
            seq: publication.seq,
            frame: publication.frame.text_payload(),
            message: publication.message.text_payload(),
        }
    }
}

impl From<WireChange<'_>> for ChangePublication {
    fn from(change: WireChange<'_>) -> Self {
        Self {
            change: change.change,
            seq: change.seq,
            frame: frame(change.frame),
            message: frame(change.message),
        }
    }
}

impl<'a> From<&'a Notice> for WireNotice<'a> {
    fn from(notice: &'a Notice) -> Self {
        match notice {
            Notice::RevokeUser(user) => Self::RevokeUser(*user),
            Notice::RevokeUserInRoom(user, room) => Self::RevokeUserInRoom(*user, *room),
            Notice::RevokeRoomExcept(room, allowed) => {
                Self::RevokeRoomExcept(*room, allowed.clone())
            }
            Notice::UpdateProfile(profile) => Self::UpdateProfile(profile.into()),
            Notice::Read(user, frame) => Self::Read(*user, frame.text_payload()),
            Notice::ForgetTail(room) => Self::ForgetTail(*room),
        }
    }
}

impl From<WireNotice<'_>> for Notice {
    fn from(notice: WireNotice<'_>) -> Self {
        match notice {
            WireNotice::RevokeUser(user) => Self::RevokeUser(user),
            WireNotice::RevokeUserInRoom(user, room) => Self::RevokeUserInRoom(user, room),
            WireNotice::RevokeRoomExcept(room, allowed) => Self::RevokeRoomExcept(room, allowed),
            WireNotice::UpdateProfile(profile) => Self::UpdateProfile(profile.into()),
            WireNotice::Read(user, text) => Self::Read(user, frame(text)),
            WireNotice::ForgetTail(room) => Self::ForgetTail(room),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_understood_or_not(bytes: Vec<u8>) {
            let _: Option<ToAll<'_>> = decode(&bytes);
            let _: Option<ToRoom<'_>> = decode(&bytes);
        }

        #[test]
        fn a_message_arrives_as_it_was(seq: Option<i64>, text: String, own: Option<(i32, String)>) {
            let sent = Publication {
                seq: seq.map(Seq),
                frame: frame(&text),
                own: own.as_ref().map(|(user, text)| (UserId(*user), frame(text))),
            };
            let bytes = encode(&ToRoom::Message((&sent).into()));
            let Some(ToRoom::Message(message)) = decode(&bytes) else {
                return Err(TestCaseError::fail("no message"));
            };
            let heard = Publication::from(message);
            prop_assert_eq!(heard.seq, sent.seq);
            prop_assert_eq!(heard.frame.text_payload(), text);
            let heard_own = heard.own.map(|(user, frame)| (user.0, frame.text_payload().to_owned()));
            prop_assert_eq!(heard_own, own);
        }
    }
}
