//! The objects clients see; each carries its id as `_id` and as `id`.

use chat_database::compat::{Account, Message, Person, RoomWithPeople};
use serde::Serialize;

use crate::shared::format_time;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserAnswer<'a> {
    #[serde(rename = "_id")]
    object_id: &'a str,
    id: &'a str,
    username: &'a str,
    email: &'a str,
    created_at: String,
}

impl<'a> From<&'a Account> for UserAnswer<'a> {
    fn from(account: &'a Account) -> Self {
        Self {
            object_id: &account.id,
            id: &account.id,
            username: &account.username,
            email: &account.email,
            created_at: format_time(account.created_at),
        }
    }
}

#[derive(Serialize)]
pub(super) struct PersonAnswer<'a> {
    #[serde(rename = "_id")]
    object_id: &'a str,
    id: &'a str,
    username: &'a str,
}

impl<'a> From<&'a Person> for PersonAnswer<'a> {
    fn from(person: &'a Person) -> Self {
        Self {
            object_id: &person.id,
            id: &person.id,
            username: &person.username,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomAnswer<'a> {
    #[serde(rename = "_id")]
    object_id: &'a str,
    id: &'a str,
    name: &'a str,
    description: &'a str,
    created_by: Option<PersonAnswer<'a>>,
    participants: Vec<PersonAnswer<'a>>,
    created_at: String,
}

impl<'a> From<&'a RoomWithPeople> for RoomAnswer<'a> {
    fn from(room: &'a RoomWithPeople) -> Self {
        Self {
            object_id: &room.room.id,
            id: &room.room.id,
            name: &room.room.name,
            description: &room.room.description,
            created_by: room.creator.as_ref().map(PersonAnswer::from),
            participants: room.participants.iter().map(PersonAnswer::from).collect(),
            created_at: format_time(room.room.created_at),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageAnswer<'a> {
    #[serde(rename = "_id")]
    object_id: &'a str,
    id: &'a str,
    room: &'a str,
    room_id: &'a str,
    sender: &'a str,
    sender_id: &'a str,
    sender_name: &'a str,
    content: &'a str,
    timestamp: String,
    created_at: String,
}

impl<'a> MessageAnswer<'a> {
    pub(super) fn new(message: &'a Message, room_id: &'a str) -> Self {
        let time = format_time(message.created_at);
        Self {
            object_id: &message.id,
            id: &message.id,
            room: room_id,
            room_id,
            sender: &message.sender_id,
            sender_id: &message.sender_id,
            sender_name: &message.sender_name,
            content: &message.content,
            timestamp: time.clone(),
            created_at: time,
        }
    }
}
