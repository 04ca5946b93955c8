//! The objects clients see.

use chat_database::compat::{Account, Message, Person, RoomWithPeople};
use serde::Serialize;

use crate::shared::format_time;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserAnswer<'a> {
    username: &'a str,
    email: &'a str,
    created_at: String,
    id: &'a str,
}

impl<'a> From<&'a Account> for UserAnswer<'a> {
    fn from(account: &'a Account) -> Self {
        Self {
            username: &account.username,
            email: &account.email,
            created_at: format_time(account.created_at),
            id: &account.id,
        }
    }
}

#[derive(Serialize)]
pub(super) struct PersonAnswer<'a> {
    username: &'a str,
    id: &'a str,
}

impl<'a> From<&'a Person> for PersonAnswer<'a> {
    fn from(person: &'a Person) -> Self {
        Self {
            username: &person.username,
            id: &person.id,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomAnswer<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    participants: Vec<PersonAnswer<'a>>,
    created_at: String,
    id: &'a str,
}

impl<'a> From<&'a RoomWithPeople> for RoomAnswer<'a> {
    fn from(room: &'a RoomWithPeople) -> Self {
        Self {
            name: &room.room.name,
            kind: room.room.kind.as_str(),
            participants: room.participants.iter().map(PersonAnswer::from).collect(),
            created_at: format_time(room.room.created_at),
            id: &room.room.id,
        }
    }
}

/// A message of a history; live frames leave an absent image out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageAnswer<'a> {
    id: &'a str,
    room_id: &'a str,
    sender_id: &'a str,
    sender_username: &'a str,
    content: &'a str,
    image_url: Option<&'a str>,
    created_at: String,
}

impl<'a> MessageAnswer<'a> {
    pub(super) fn new(message: &'a Message, room_id: &'a str, sender_exists: bool) -> Self {
        Self {
            id: &message.id,
            room_id,
            sender_id: &message.sender_id,
            sender_username: if sender_exists {
                &message.sender_name
            } else {
                "Unknown"
            },
            content: &message.content,
            image_url: message.image_url.as_deref(),
            created_at: format_time(message.created_at),
        }
    }
}
