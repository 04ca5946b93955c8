//! What the server sends (contract section 6.2, and the additions of
//! docs/PROTOCOL.md): one JSON object, `type` first, the other keys in the order of
//! the fields.

use chat_websocket::EncodedFrame;
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use crate::events::EventKinds;
use crate::ids::{FileId, MessageId, RoomId, Seq, UserId};
use crate::timestamp::format_frame_time;

/// A frame for one or many sockets.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
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
    UserJoined {
        user_id: UserId,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    UserLeft {
        user_id: UserId,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// `file` is absent, not null, without a file; `file_id` is null then.
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
    },
    /// To the connection that sent a message with a `client_id`, once it is stored.
    Ack {
        client_id: &'a str,
        id: MessageId,
        seq: Option<Seq>,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    /// To a connection that comes back; what it missed follows if `complete`.
    Resumed {
        from: Seq,
        to: Seq,
        complete: bool,
        /// Where to read what was missed, if it does not follow.
        #[serde(skip_serializing_if = "Option::is_none")]
        history: Option<&'a str>,
    },
    /// To a connection that has asked for events: all that it gets now.
    Subscribed { events: EventKinds },
    Typing {
        user_id: UserId,
        username: &'a str,
        typing: bool,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    Pong {
        user_id: UserId,
        #[serde(serialize_with = "frame_time")]
        timestamp: DateTime<Utc>,
    },
    Error {
        message: &'a str,
        /// Of the message that was refused, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
    },
}

/// `sender` of a `message` frame.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sender<'a> {
    pub id: UserId,
    pub username: &'a str,
    pub full_name: Option<&'a str>,
}

/// `file` of a `message` frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
