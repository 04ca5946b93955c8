//! Rooms with their people.

use std::collections::HashMap;

use chat_database::{OwnRoom, Reading, RoomDetails, User};
use chat_protocol::ids::{RoomId, UserId};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{UserAnswer, push_json, rest_time, to_json};

/// What a room takes beside its people, for the size of the buffer.
const EXPECTED_BYTES: usize = 320;

/// Users of one answer. They recur in it, and each is encoded once.
#[derive(Debug, Default)]
pub(crate) struct People(HashMap<UserId, Vec<u8>>);

impl People {
    /// User.
    pub(crate) fn encode(&mut self, user: &User) -> &[u8] {
        self.0
            .entry(user.id)
            .or_insert_with(|| to_json(&UserAnswer::from(user)))
    }
}

/// A room up to its `owner` and `members`, which are appended as text.
#[derive(Serialize)]
struct RoomHead<'a> {
    name: &'a str,
    description: Option<&'a str>,
    is_private: bool,
    id: RoomId,
    owner_id: Option<UserId>,
    #[serde(serialize_with = "rest_time")]
    created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rest_time")]
    updated_at: Option<DateTime<Utc>>,
}

/// How far the caller has read in a room.
#[derive(Serialize)]
pub(crate) struct ReadingAnswer {
    last_seq: i64,
    last_read_seq: i64,
    unread_count: i64,
}

impl From<Reading> for ReadingAnswer {
    fn from(reading: Reading) -> Self {
        Self {
            last_seq: reading.last_seq,
            last_read_seq: reading.last_read_seq,
            unread_count: reading.unread(),
        }
    }
}

/// Room.
pub(crate) fn room_to_json(details: &RoomDetails) -> Vec<u8> {
    let mut text = Vec::with_capacity(EXPECTED_BYTES * (2 + details.members.len()));
    push_room(&mut text, details, &mut People::default());
    text
}

/// Array of rooms.
pub(crate) fn rooms_to_json(rooms: &[RoomDetails]) -> Vec<u8> {
    let mut people = People::default();
    array(rooms, |text, details| push_room(text, details, &mut people))
}

/// Array of the rooms of a caller; how far he has read is absent where it is not known.
pub(crate) fn own_rooms_to_json(rooms: &[OwnRoom]) -> Vec<u8> {
    let mut people = People::default();
    array(rooms, |text, own| {
        push_room(text, &own.details, &mut people);
        if let Some(reading) = own.reading {
            reopen(text);
            let start = text.len();
            push_json(text, &ReadingAnswer::from(reading));
            // The keys of this object go on with those of the room.
            text.remove(start);
        }
    })
}

fn array<T>(items: &[T], mut push: impl FnMut(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut text = vec![b'['];
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        push(&mut text, item);
    }
    text.push(b']');
    text
}

fn push_room(text: &mut Vec<u8>, details: &RoomDetails, people: &mut People) {
    let room = &details.room;
    push_json(
        text,
        &RoomHead {
            name: &room.name,
            description: room.description.as_deref(),
            is_private: room.is_private,
            id: room.id,
            owner_id: room.owner_id,
            created_at: room.created_at,
            updated_at: room.updated_at,
        },
    );
    reopen(text);
    text.extend_from_slice(b"\"owner\":");
    match &details.owner {
        Some(owner) => text.extend_from_slice(people.encode(owner)),
        None => text.extend_from_slice(b"null"),
    }
    text.extend_from_slice(b",\"members\":[");
    for (index, member) in details.members.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(people.encode(member));
    }
    text.extend_from_slice(b"]}");
}

/// Lets the object at the end of the text go on.
pub(super) fn reopen(text: &mut Vec<u8>) {
    text.pop();
    text.push(b',');
}
