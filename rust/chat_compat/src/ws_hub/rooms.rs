//! Rooms: private ones of a pair, groups, public ones.

use chat_database::Joined;
use chat_database::compat::{
    CreatedRoom, Left, NewRoom, RoomKind, RoomToMake, RoomWithPeople, System,
};
use chrono::Utc;
use serde_json::{Value, json};

use super::answers::RoomAnswer;
use super::error::RestError;
use super::{Caller, WsHub};
use crate::shared::{Fields, Request, Response};

const MAX_NAME_CHARACTERS: usize = 100;

impl WsHub {
    pub(super) async fn list_rooms(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Response, RestError> {
        let rooms = if request.query("type").as_deref() == Some("public") {
            self.store.list_public_rooms(System::WsHub).await?
        } else {
            self.store
                .list_rooms_of_account(System::WsHub, &caller.id)
                .await?
        };
        let answer: Vec<_> = rooms.iter().map(RoomAnswer::from).collect();
        Ok(Response::json(200, &answer))
    }

    pub(super) async fn create_room(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Response, RestError> {
        let (room, others) = check_room(&request.fields()?, &caller.id)?;
        let new = NewRoom {
            system: System::WsHub,
            id: self.ids.make(Utc::now()),
            creator: caller.id.clone(),
            others,
            room,
        };
        match self.store.create_room(new).await? {
            CreatedRoom::Created(room) => {
                self.live.room_created(&room, &caller.id);
                Ok(Response::json(201, &RoomAnswer::from(&room)))
            }
            CreatedRoom::Existing(room) => Ok(Response::json(200, &RoomAnswer::from(&room))),
            CreatedRoom::NoParticipant => Err(RestError::refused(
                400,
                "One or more participant IDs are invalid",
            )),
            CreatedRoom::NoCreator => Err(RestError::refused(404, "User not found")),
            CreatedRoom::NameTaken => Err(RestError::refused(409, "Room already exists")),
        }
    }

    pub(super) async fn get_room(&self, caller: &Caller, id: &str) -> Result<Response, RestError> {
        let room = self.readable_room(caller, id).await?;
        Ok(Response::json(200, &RoomAnswer::from(&room)))
    }

    pub(super) async fn join_room(&self, caller: &Caller, id: &str) -> Result<Response, RestError> {
        let room = self.find_room(id).await?;
        if room.room.kind != RoomKind::Public {
            return Err(RestError::refused(403, "Access denied"));
        }
        let joined = self
            .store
            .add_participant(System::WsHub, id, &caller.id)
            .await?
            .ok_or(RestError::refused(404, "User not found"))?;
        let room = match joined {
            Joined::Added => {
                let room = self.find_room(id).await?;
                self.live.room_joined(&room, &caller.id);
                room
            }
            Joined::Already => room,
        };
        Ok(Response::json(200, &RoomAnswer::from(&room)))
    }

    pub(super) async fn leave_room(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Response, RestError> {
        let left = self.store.leave_room(System::WsHub, id, &caller.id).await?;
        match left {
            Left::NoRoom => Err(RestError::refused(404, "Room not found")),
            Left::NotAMember => Err(RestError::refused(403, "You are not a member of this room")),
            Left::Remains(room) => {
                self.live.room_left(&room, &caller.id);
                Ok(message("Left room successfully"))
            }
            Left::Deleted(rest) => {
                self.live.room_deleted(id, &caller.id, &rest);
                Ok(message("Left and room deleted"))
            }
        }
    }

    /// The room, if the caller may read it and its history.
    pub(super) async fn readable_room(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<RoomWithPeople, RestError> {
        let room = self.find_room(id).await?;
        if room.room.kind != RoomKind::Public && !room.has(&caller.id) {
            return Err(RestError::refused(403, "Access denied"));
        }
        Ok(room)
    }

    async fn find_room(&self, id: &str) -> Result<RoomWithPeople, RestError> {
        self.store
            .find_room(System::WsHub, id)
            .await?
            .ok_or(RestError::refused(404, "Room not found"))
    }
}

fn message(text: &str) -> Response {
    Response::json(200, &json!({"message": text}))
}

/// What to make and the ids of the others, checked in the order clients expect.
fn check_room(fields: &Fields, creator: &str) -> Result<(RoomToMake, Vec<String>), RestError> {
    let refused = |message: &'static str| Err(RestError::refused(400, message));
    let kind = fields.get("type").filter(|kind| **kind != json!(""));
    let listed = fields
        .get("participantIds")
        .filter(|listed| **listed != json!([]));
    let is_public = kind == Some(&json!("public"));
    let mut missing = Vec::new();
    if kind.is_none() {
        missing.push("type is required");
    }
    if listed.is_none() && !is_public {
        missing.push("participantIds is required");
    }
    if !missing.is_empty() {
        return Err(RestError::refused(400, missing.join(", ")));
    }
    let Some(kind) = kind.and_then(Value::as_str).and_then(RoomKind::from_name) else {
        return refused("type must be 'private' or 'group'");
    };
    let others: Vec<String> = match listed {
        None => Vec::new(),
        // What is no text becomes a text that is nobody's id.
        Some(Value::Array(listed)) => listed
            .iter()
            .map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
            .collect(),
        Some(_) => return refused("participantIds must be a non-empty array"),
    };
    let name = fields.text("name").unwrap_or_default().trim();
    let participants = count_participants(creator, &others);
    let room = match kind {
        RoomKind::Private if participants != 2 => {
            return refused("Private room must have exactly 2 participants");
        }
        RoomKind::Private => RoomToMake::Private,
        RoomKind::Group if name.is_empty() => return refused("Group room name is required"),
        RoomKind::Group if participants < 2 => {
            return refused("Group must have at least 2 participants");
        }
        RoomKind::Group => RoomToMake::Group {
            name: name.to_owned(),
        },
        RoomKind::Public if name.is_empty() => return refused("Room name is required"),
        RoomKind::Public => RoomToMake::Public {
            name: name.to_owned(),
            description: String::new(),
        },
    };
    if kind != RoomKind::Private && name.chars().count() > MAX_NAME_CHARACTERS {
        return refused("name must be at most 100 characters");
    }
    Ok((room, others))
}

fn count_participants(creator: &str, others: &[String]) -> usize {
    let mut ids: Vec<&str> = others.iter().map(String::as_str).collect();
    ids.push(creator);
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}
