//! JSON answers in the shapes of contract section 4, keys in its order.

mod rooms;

use chat_database::{ChangedMessage, FileDetails, StoredMessage, User};
use chat_protocol::format_rest_time;
use chat_protocol::ids::{FileId, MessageId, RoomId, UserId};
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

pub(crate) use self::rooms::{
    People, ReadingAnswer, own_rooms_to_json, room_to_json, rooms_to_json,
};
use crate::files::FileLinks;

/// The JSON text of an answer.
pub(crate) fn to_json(answer: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::with_capacity(256);
    push_json(&mut text, answer);
    text
}

fn push_json(text: &mut Vec<u8>, answer: &impl Serialize) {
    // Plain data with string keys, and memory: there is nothing that can fail.
    let _ = serde_json::to_writer(text, answer);
}

#[derive(Serialize)]
pub(crate) struct UserAnswer<'a> {
    username: &'a str,
    email: &'a str,
    full_name: Option<&'a str>,
    id: UserId,
    is_active: bool,
    #[serde(serialize_with = "rest_time")]
    created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rest_time")]
    updated_at: Option<DateTime<Utc>>,
}

impl<'a> From<&'a User> for UserAnswer<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            username: &user.username,
            email: &user.email,
            full_name: user.full_name.as_deref(),
            id: user.id,
            is_active: user.is_active,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A message up to its `sender` and `room`, which recur in a history and are
/// appended as text, and its `file`.
#[derive(Serialize)]
pub(crate) struct MessageHead<'a> {
    pub(crate) content: &'a str,
    pub(crate) room_id: RoomId,
    pub(crate) id: MessageId,
    pub(crate) sender_id: UserId,
    pub(crate) file_id: Option<FileId>,
    #[serde(serialize_with = "rest_time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    /// Behind all other keys; absent where messages are not numbered.
    #[serde(skip)]
    pub(crate) seq: Option<i64>,
    /// Behind that; absent for a message that was not edited.
    #[serde(skip)]
    pub(crate) edited_at: Option<DateTime<Utc>>,
    /// The same for one that was not deleted.
    #[serde(skip)]
    pub(crate) deleted_at: Option<DateTime<Utc>>,
}

impl<'a> From<&'a StoredMessage> for MessageHead<'a> {
    fn from(message: &'a StoredMessage) -> Self {
        Self {
            content: &message.content,
            room_id: message.room_id,
            id: message.id,
            sender_id: message.sender.id,
            file_id: message.file.as_ref().map(|details| details.file.id),
            created_at: message.created_at,
            seq: message.seq,
            edited_at: message.edited_at,
            deleted_at: message.deleted_at,
        }
    }
}

/// Appends a whole Message: the head's object reopened, then the rest.
pub(crate) fn push_message(
    text: &mut Vec<u8>,
    head: &MessageHead<'_>,
    sender: &[u8],
    room: &[u8],
    file: Option<(&FileDetails, &FileLinks)>,
) {
    push_json(text, head);
    rooms::reopen(text);
    text.extend_from_slice(b"\"sender\":");
    text.extend_from_slice(sender);
    text.extend_from_slice(b",\"room\":");
    text.extend_from_slice(room);
    text.extend_from_slice(b",\"file\":");
    push_json(
        text,
        &file.map(|(details, links)| FileAnswer::new(details, links)),
    );
    if let Some(seq) = head.seq {
        text.extend_from_slice(b",\"seq\":");
        push_json(text, &seq);
    }
    if let Some(edited_at) = head.edited_at {
        text.extend_from_slice(b",\"edited_at\":");
        push_json(text, &format_rest_time(edited_at));
    }
    if let Some(deleted_at) = head.deleted_at {
        text.extend_from_slice(b",\"deleted_at\":");
        push_json(text, &format_rest_time(deleted_at));
    }
    text.push(b'}');
}

/// A message that was changed, with the keys of the frame that tells of it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ChangeAnswer<'a> {
    MessageEdited {
        id: MessageId,
        seq: i64,
        room_id: RoomId,
        content: &'a str,
        #[serde(serialize_with = "rest_time")]
        edited_at: Option<DateTime<Utc>>,
        change: i64,
    },
    MessageDeleted {
        id: MessageId,
        seq: i64,
        room_id: RoomId,
        #[serde(serialize_with = "rest_time")]
        deleted_at: Option<DateTime<Utc>>,
        deleted_by: Option<UserId>,
        change: i64,
    },
}

impl<'a> ChangeAnswer<'a> {
    pub(crate) fn new(room_id: RoomId, message: &'a ChangedMessage) -> Self {
        let ChangedMessage {
            change, id, seq, ..
        } = *message;
        if message.deleted_at.is_some() {
            return Self::MessageDeleted {
                id,
                seq,
                room_id,
                deleted_at: message.deleted_at,
                deleted_by: message.deleted_by,
                change,
            };
        }
        Self::MessageEdited {
            id,
            seq,
            room_id,
            content: &message.content,
            edited_at: message.edited_at,
            change,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct FileAnswer<'a> {
    original_filename: &'a str,
    stored_filename: &'a str,
    file_size: i32,
    content_type: &'a str,
    public_url: &'a str,
    id: FileId,
    uploader_id: UserId,
    #[serde(serialize_with = "rest_time")]
    uploaded_at: Option<DateTime<Utc>>,
    uploader: UserAnswer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail_url: Option<&'a str>,
}

impl<'a> FileAnswer<'a> {
    pub(crate) fn new(details: &'a FileDetails, links: &'a FileLinks) -> Self {
        let file = &details.file;
        Self {
            original_filename: &file.original_filename,
            stored_filename: &file.stored_filename,
            file_size: file.file_size,
            content_type: &file.content_type,
            public_url: &links.public_url,
            id: file.id,
            uploader_id: file.uploader_id,
            uploaded_at: file.uploaded_at,
            uploader: UserAnswer::from(&*details.uploader),
            thumbnail_url: links.thumbnail_url.as_deref(),
        }
    }
}

#[expect(clippy::ref_option, reason = "the signature serde asks for")]
fn rest_time<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_str(&format_rest_time(*time)),
        None => serializer.serialize_none(),
    }
}
