//! What the server sends (contract section 6.2, and the additions of
//! docs/PROTOCOL.md): one JSON object, `type` first, the other keys in the order of
//! the fields.

use chat_websocket::EncodedFrame;
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use crate::events::EventKinds;
use crate::ids::{Change, FileId, MessageId, RoomId, Seq, UserId};
use crate::timestamp::format_frame_time;

/// A frame for one or many sockets.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ServerFrame<'a> {
    /// The first frame of a new socket.
    Welcome {
        message: String,
        room_id: RoomId,
        user_id: UserId,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// The second frame of a new socket; includes its own user.
    UsersOnline {
        users: &'a [UserId],
        count: usize,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// The first connection of a user to the room is there.
    UserJoined {
        user_id: UserId,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// The last connection of a user to the room has gone.
    UserLeft {
        user_id: UserId,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// A message was stored. `file` is absent, not null, without a file; `file_id` is
    /// null then.
    Message {
        id: MessageId,
        content: &'a str,
        room_id: RoomId,
        sender: Sender<'a>,
        file_id: Option<FileId>,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<&'a FileSummary>,
        /// Absent where the database cannot number messages.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
        /// To the sockets of the sender only.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        /// Of a message that was edited.
        #[serde(
            skip_serializing_if = "Option::is_none",
            serialize_with = "optional_frame_time"
        )]
        edited_at: Option<DateTime<Utc>>,
        /// Of a message that was deleted; it has neither content nor file any more.
        #[serde(
            skip_serializing_if = "Option::is_none",
            serialize_with = "optional_frame_time"
        )]
        deleted_at: Option<DateTime<Utc>>,
    },
    /// To those who have asked for `changes`.
    MessageEdited {
        id: MessageId,
        seq: Seq,
        room_id: RoomId,
        content: &'a str,
        #[serde(serialize_with = "frame_time")]
        edited_at: DateTime<Utc>,
        change: Change,
    },
    /// To those who have asked for `changes`.
    MessageDeleted {
        id: MessageId,
        seq: Seq,
        room_id: RoomId,
        #[serde(serialize_with = "frame_time")]
        deleted_at: DateTime<Utc>,
        deleted_by: Option<UserId>,
        change: Change,
    },
    /// To the connection that sent a message with a `client_id`, once it is stored.
    Ack {
        client_id: &'a str,
        id: MessageId,
        seq: Option<Seq>,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
        /// Of a change: its place; absent if there was nothing to change, ever.
        #[serde(skip_serializing_if = "Option::is_none")]
        change: Option<Change>,
    },
    /// To a connection that comes back; what it missed follows if `complete`.
    Resumed {
        from: Seq,
        to: Seq,
        complete: bool,
        /// Where to read what was missed, if it does not follow.
        #[serde(skip_serializing_if = "Option::is_none")]
        history: Option<&'a str>,
        /// If it wants to know of changes.
        #[serde(skip_serializing_if = "Option::is_none")]
        changes: Option<ResumedChanges<'a>>,
    },
    /// To a connection that has asked for events: all that it gets now.
    Subscribed {
        #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::events::EventKind>"))]
        events: EventKinds,
    },
    /// To a connection that has shown a newer token.
    Authenticated {
        #[serde(serialize_with = "frame_time")]
        expires_at: DateTime<Utc>,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// To other connections of a user who has read in a room. `unread_count` is how
    /// many places are behind `seq`.
    Read {
        room_id: RoomId,
        seq: Seq,
        unread_count: i64,
    },
    /// Another user types, or does no longer.
    Typing {
        user_id: UserId,
        username: &'a str,
        typing: bool,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// The answer to `ping`.
    Pong {
        user_id: UserId,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// A frame was refused.
    Error {
        message: &'a str,
        /// Of the message that was refused, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
    },
}

/// `changes` of a `resumed` frame: what follows behind the messages, if `complete`.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResumedChanges<'a> {
    pub from: Change,
    pub to: Change,
    pub complete: bool,
    /// Where to read what was missed, if it does not follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<&'a str>,
}

/// `sender` of a `message` frame.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sender<'a> {
    pub id: UserId,
    pub username: &'a str,
    pub full_name: Option<&'a str>,
}

/// `file` of a `message` frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileSummary {
    pub id: FileId,
    pub original_filename: String,
    pub public_url: String,
    pub content_type: String,
    pub file_size: i32,
    /// Not in the contract; absent for a file without a thumbnail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<String>,
}

/// An item of `online_users` (contract section 6.6).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OnlineUser<'a> {
    pub id: UserId,
    pub username: &'a str,
    pub full_name: Option<&'a str>,
}

impl ServerFrame<'_> {
    /// The frame as it goes onto the wire, once for all its readers.
    pub fn encode(&self) -> EncodedFrame {
        EncodedFrame::text(|payload| {
            // Strings and integers into a vector: there is nothing that can fail.
            let _ = serde_json::to_writer(payload, self);
        })
    }
}

fn frame_time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_frame_time(*time))
}

#[expect(clippy::ref_option, reason = "the signature serde asks for")]
fn optional_frame_time<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => frame_time(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_keys_of_the_contract_in_order() {
        let file = FileSummary {
            id: FileId(1),
            original_filename: "a.txt".into(),
            public_url: "https://x/a".into(),
            content_type: "text/plain".into(),
            file_size: 5,
            thumbnail_url: None,
        };
        let mut frame = ServerFrame::Message {
            id: MessageId(94),
            content: "año",
            room_id: RoomId(19),
            sender: Sender {
                id: UserId(44),
                username: "ana",
                full_name: None,
            },
            file_id: Some(FileId(1)),
            timestamp: "2026-11-20T09:41:01.851774Z".parse().expect("a time"),
            file: Some(&file),
            seq: None,
            client_id: None,
            edited_at: None,
            deleted_at: None,
        };
        assert_eq!(
            frame.encode().text_payload(),
            r#"{"type":"message","id":94,"content":"año","room_id":19,"sender":{"id":44,"username":"ana","full_name":null},"file_id":1,"timestamp":"2026-11-20T09:41:01.851774+00:00","file":{"id":1,"original_filename":"a.txt","public_url":"https://x/a","content_type":"text/plain","file_size":5}}"#
        );
        if let ServerFrame::Message { file, file_id, .. } = &mut frame {
            *file = None;
            *file_id = None;
        }
        assert!(
            frame
                .encode()
                .text_payload()
                .ends_with(r#""file_id":null,"timestamp":"2026-11-20T09:41:01.851774+00:00"}"#)
        );
        if let ServerFrame::Message { seq, client_id, .. } = &mut frame {
            *seq = Some(Seq(7));
            *client_id = Some("c-1");
        }
        assert!(frame.encode().text_payload().ends_with(
            r#""timestamp":"2026-11-20T09:41:01.851774+00:00","seq":7,"client_id":"c-1"}"#
        ));
    }
}
