//! Joining, leaving, talking.

use chat_database::compat::System;
use chat_socketio::{AckSender, Payload, Socket};
use serde_json::{Value, json};

use super::people::Left;
use super::{Identity, Live, Refused, topic_of};
use crate::shared::{CompatError, Draft, Fields};
use crate::webrtc::answers::MessageAnswer;

const MAX_CONTENT_CHARACTERS: usize = 5000;
const MAX_TEMP_ID_BYTES: usize = 1024;
const FAILED: Refused = "Internal server error";

/// `roomId` or `room` of an object, or a bare string.
pub(super) fn room_id(payload: &Value) -> Option<String> {
    let id = payload.as_str().or_else(|| {
        let named = payload.get("roomId").and_then(Value::as_str);
        named.or_else(|| payload.get("room")?.as_str())
    });
    id.filter(|id| !id.is_empty())
        .map(|id| id.replace('\0', "\u{fffd}"))
}

impl Live {
    pub(super) async fn join_room(
        &self,
        socket: &Socket,
        identity: &Identity,
        payload: &Value,
    ) -> Result<Value, Refused> {
        let room_id = room_id(payload).ok_or("Room not found")?;
        let found = self.store.find_room(System::Webrtc, &room_id).await;
        let room = found.map_err(failed)?.ok_or("Room not found")?;
        let added = self
            .store
            .add_participant(System::Webrtc, &room_id, &identity.user_id)
            .await;
        added.map_err(failed)?.ok_or("Authentication error")?;
        let mut state = self.lock();
        if state.people.join(&room_id, room.room.key, socket, identity) {
            let joined = news(identity, socket, &room_id);
            self.emit_to_room(&room_id, "user-joined", joined, Some(socket));
            socket.join(&topic_of(&room_id));
            let list = state.people.list(&room_id);
            self.emit_to_room(&room_id, "room-participants", list, None);
        } else {
            socket.join(&topic_of(&room_id));
            let list = state.people.list(&room_id);
            socket.emit("room-participants", &Payload::from(vec![list]));
        }
        Ok(json!({"roomId": room_id}))
    }

    /// Also takes the user off the stored participants, with the last socket.
    pub(super) async fn leave_room(
        &self,
        socket: &Socket,
        identity: &Identity,
        payload: &Value,
    ) -> Result<Value, Refused> {
        let room_id = room_id(payload).ok_or("Room not found")?;
        if self.leave_one(socket, identity, &room_id) {
            let removed = self
                .store
                .remove_participant(System::Webrtc, &room_id, &identity.user_id)
                .await;
            removed.map_err(failed)?;
        }
        Ok(json!({"roomId": room_id}))
    }

    /// True if the user is not in the room any more.
    pub(super) fn leave_one(&self, socket: &Socket, identity: &Identity, room: &str) -> bool {
        let mut state = self.lock();
        socket.leave(&topic_of(room));
        let left = state.people.leave(room, socket);
        if left == Left::User {
            self.emit_to_room(room, "user-left", news(identity, socket, room), None);
        }
        if matches!(left, Left::User | Left::Socket { list: true }) {
            self.emit_to_room(room, "room-participants", state.people.list(room), None);
        }
        left == Left::User
    }

    /// Answers when the message is stored: then the room gets it, the sender included.
    pub(super) async fn send_message(
        &self,
        socket: &Socket,
        identity: &Identity,
        payload: Value,
        ack: &mut Option<AckSender>,
    ) -> Result<(), Refused> {
        let mut fields = Fields::of(payload);
        let room_id = fields.text("roomId").or(fields.text("room"));
        let room_id = room_id.ok_or("Join the room first")?.to_owned();
        let key = {
            let state = self.lock();
            let room = state.people.room(&room_id);
            let room = room.filter(|room| room.has_socket(socket.id()));
            room.ok_or("Join the room first")?.key
        };
        let content = fields.text("content").or(fields.text("message"));
        let content = content.or(fields.text("text")).unwrap_or_default().trim();
        if content.is_empty() {
            return Err("Message content is required");
        }
        if content.chars().count() > MAX_CONTENT_CHARACTERS {
            return Err("Message too long");
        }
        let draft = Draft {
            room: key,
            sender_id: identity.user_id.clone(),
            sender_name: identity.username.clone(),
            content: content.to_owned(),
            image_url: None,
        };
        let temp_id = fields
            .take("tempId")
            .filter(|temp_id| temp_id.to_string().len() <= MAX_TEMP_ID_BYTES);
        let (socket, ack, namespaces) = (socket.clone(), ack.take(), self.namespaces.clone());
        self.messages
            .submit(draft, move |stored| {
                let Some(message) = stored else {
                    super::events::refuse(&socket, "send-message", "Failed to send message", ack);
                    return;
                };
                let answer = MessageAnswer::new(message, &room_id);
                let mut answer = serde_json::to_value(&answer).unwrap_or_default();
                answer["username"] = Value::from(message.sender_name.as_str());
                if let Some(temp_id) = temp_id {
                    answer["tempId"] = temp_id;
                }
                let payload = Payload::from(answer.clone());
                for namespace in &namespaces {
                    namespace.emit_to(&topic_of(&room_id), "new-message", &payload, None);
                }
                super::events::confirm(ack, json!({"message": answer}));
            })
            .await;
        Ok(())
    }
}

fn news(identity: &Identity, socket: &Socket, room: &str) -> Value {
    json!({
        "userId": identity.user_id,
        "id": identity.user_id,
        "username": identity.username,
        "name": identity.username,
        "socketId": socket.id(),
        "roomId": room,
    })
}

fn failed(error: chat_database::DatabaseError) -> Refused {
    CompatError::from(error).log("webrtc");
    FAILED
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shared::testing::any_json;

    proptest! {
        #[test]
        fn a_room_is_named_by_a_text_that_is_not_empty(payload in any_json()) {
            let field = |name| payload.get(name).and_then(Value::as_str);
            let named = payload.as_str().or(field("roomId")).or(field("room"));
            match room_id(&payload) {
                Some(id) => {
                    prop_assert!(!id.contains('\0'));
                    prop_assert_eq!(Some(id), named.map(|id| id.replace('\0', "\u{fffd}")));
                }
                None => prop_assert!(named.is_none_or(str::is_empty)),
            }
        }
    }
}
