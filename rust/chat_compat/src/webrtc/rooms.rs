//! Rooms, open to everybody who is signed in, and their history.

use chat_database::Page;
use chat_database::compat::{CreatedRoom, NewRoom, RoomToMake, System};
use chrono::{DateTime, Utc};

use super::answers::{MessageAnswer, RoomAnswer};
use super::error::{FieldError, SignallingError};
use super::{Caller, Webrtc};
use crate::shared::{Request, Response, leading_integer};

const MAX_NAME_CHARACTERS: usize = 100;
const MAX_DESCRIPTION_CHARACTERS: usize = 1000;
const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 500;

impl Webrtc {
    pub(super) async fn list_rooms(&self) -> Result<Response, SignallingError> {
        let rooms = self.store.list_public_rooms(System::Webrtc).await?;
        let answer: Vec<_> = rooms.iter().map(RoomAnswer::from).collect();
        Ok(Response::json(200, &answer))
    }

    pub(super) async fn create_room(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Response, SignallingError> {
        let fields = request.fields()?;
        let name = fields.text("name").unwrap_or_default().trim();
        let description = fields.text("description").unwrap_or_default().trim();
        let invalid = |field, message| {
            let error = FieldError::new(field, fields.get(field), message);
            Err(SignallingError::Invalid(vec![error]))
        };
        if name.is_empty() {
            return invalid("name", "Room name is required");
        }
        if name.chars().count() > MAX_NAME_CHARACTERS {
            return invalid("name", "Room name must be at most 100 characters");
        }
        if description.chars().count() > MAX_DESCRIPTION_CHARACTERS {
            return invalid("description", "Description must be at most 1000 characters");
        }
        let new = NewRoom {
            system: System::Webrtc,
            id: self.ids.make(Utc::now()),
            creator: caller.id.clone(),
            others: Vec::new(),
            room: RoomToMake::Public {
                name: name.to_owned(),
                description: description.to_owned(),
            },
        };
        match self.store.create_room(new).await? {
            CreatedRoom::Created(room) | CreatedRoom::Existing(room) => {
                Ok(Response::json(201, &RoomAnswer::from(&room)))
            }
            CreatedRoom::NameTaken => {
                Err(SignallingError::refused(400, "Room name already exists"))
            }
            // The account is gone, and with it what the token stood for.
            CreatedRoom::NoCreator | CreatedRoom::NoParticipant => {
                Err(SignallingError::refused(401, "Invalid or expired token"))
            }
        }
    }

    /// The newest messages, or those before a message or a time, oldest first.
    pub(super) async fn list_messages(
        &self,
        room: &str,
        request: &Request,
    ) -> Result<Response, SignallingError> {
        let room = self
            .store
            .find_room(System::Webrtc, room)
            .await?
            .ok_or(SignallingError::refused(404, "Room not found"))?
            .room;
        let limit = request
            .query("limit")
            .and_then(|text| leading_integer(&text))
            .unwrap_or(DEFAULT_LIMIT)
            .clamp(1, MAX_LIMIT);
        let before = request.query("before").filter(|text| !text.is_empty());
        let mut messages = match before {
            None => {
                let page = Page { skip: 0, limit };
                self.store.list_messages(room.key, page).await?
            }
            Some(before) => match before.parse::<DateTime<Utc>>() {
                Ok(time) => {
                    self.store
                        .list_messages_before_time(room.key, time, limit)
                        .await?
                }
                Err(_) => {
                    self.store
                        .list_messages_before(room.key, &before, limit)
                        .await?
                }
            },
        };
        messages.reverse();
        let answer: Vec<_> = messages
            .iter()
            .map(|message| MessageAnswer::new(message, &room.id))
            .collect();
        Ok(Response::json(200, &answer))
    }
}
