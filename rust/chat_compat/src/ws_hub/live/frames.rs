//! Frames from and to clients: `{"type", "payload"}` (contract section 5).

use chat_database::compat::Message;
use chat_protocol::EncodedFrame;
use serde::Serialize;
use serde_json::Value;

use super::Dialect;
use crate::shared::{Fields, format_time};
use crate::ws_hub::answers::RoomAnswer;

/// What a client says.
pub(super) struct ClientFrame {
    pub(super) kind: String,
    pub(super) payload: Fields,
    /// At the top level, where one of the dialects may have it.
    pub(super) token: Option<String>,
}

/// Why a frame says nothing; the text is for the client.
pub(super) struct FrameError(pub(super) &'static str);

impl ClientFrame {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| FrameError("Invalid JSON"))?;
        let mut fields = Fields::of(value);
        let kind = fields
            .text("type")
            .filter(|kind| !kind.is_empty())
            .ok_or(FrameError("Missing event type"))?
            .to_owned();
        let token = fields.text("token").map(str::to_owned);
        let payload = fields.take("payload").map(Fields::of).unwrap_or_default();
        Ok(Self {
            kind,
            payload,
            token,
        })
    }
}

#[derive(Serialize)]
#[serde(tag = "type", content = "payload", rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ServerFrame<'a> {
    Authenticated(User<'a>),
    AuthSuccess(User<'a>),
    AuthError(Reason<'a>),
    Error(Reason<'a>),
    UserOnline(User<'a>),
    UserOffline(UserId<'a>),
    OnlineUsers(UserIds<'a>),
    RoomJoined(RoomId<'a>),
    RoomLeft(RoomId<'a>),
    RoomDeleted(RoomId<'a>),
    RoomCreated(RoomAnswer<'a>),
    RoomUpdated(RoomAnswer<'a>),
    Typing(Typing<'a>),
    StopTyping(Typing<'a>),
    Message(LiveMessage<'a>),
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User<'a> {
    pub(super) user_id: &'a str,
    pub(super) username: &'a str,
}

#[derive(Serialize)]
pub(super) struct Reason<'a> {
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserId<'a> {
    pub(super) user_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserIds<'a> {
    pub(super) user_ids: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomId<'a> {
    pub(super) room_id: &'a str,
}

/// Without a name for `STOP_TYPING`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Typing<'a> {
    pub(super) user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<&'a str>,
    pub(super) room_id: &'a str,
}

/// What is absent is left out here; in a history it is null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LiveMessage<'a> {
    id: &'a str,
    room_id: &'a str,
    sender_id: &'a str,
    sender_username: &'a str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<&'a str>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    temp_id: Option<&'a Value>,
}

impl ServerFrame<'_> {
    /// The frame as it goes onto the wire, once for all its readers.
    pub(super) fn encode(&self) -> EncodedFrame {
        EncodedFrame::text(|payload| {
            // Plain data and memory: there is nothing that can fail.
            let _ = serde_json::to_writer(payload, self);
        })
    }
}

pub(super) fn error(message: &str) -> EncodedFrame {
    ServerFrame::Error(Reason { message }).encode()
}

pub(super) fn authenticated(dialect: Dialect, user: User<'_>) -> EncodedFrame {
    match dialect {
        Dialect::Client => ServerFrame::Authenticated(user),
        Dialect::Seed => ServerFrame::AuthSuccess(user),
    }
    .encode()
}

pub(super) fn not_authenticated(dialect: Dialect, message: &str) -> EncodedFrame {
    match dialect {
        Dialect::Client => ServerFrame::Error(Reason { message }),
        Dialect::Seed => ServerFrame::AuthError(Reason { message }),
    }
    .encode()
}

pub(super) fn message(room_id: &str, message: &Message, temp_id: Option<&Value>) -> EncodedFrame {
    ServerFrame::Message(LiveMessage {
        id: &message.id,
        room_id,
        sender_id: &message.sender_id,
        sender_username: &message.sender_name,
        content: &message.content,
        image_url: message.image_url.as_deref(),
        created_at: format_time(message.created_at),
        temp_id,
    })
    .encode()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shared::testing::any_json;

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_refused(bytes: Vec<u8>) {
            let _ = ClientFrame::parse(&bytes);
        }

        #[test]
        fn what_has_a_type_is_a_frame(value in any_json()) {
            let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
            match ClientFrame::parse(value.to_string().as_bytes()) {
                Ok(frame) => prop_assert_eq!(frame.kind, kind.replace('\0', "\u{fffd}")),
                Err(FrameError(text)) => {
                    prop_assert!(kind.is_empty());
                    prop_assert_eq!(text, "Missing event type");
                }
            }
        }
    }
}
