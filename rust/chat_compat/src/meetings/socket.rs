//! Socket.IO: joining, speaking, leaving, ending (contract section 3).

use std::sync::Arc;

use chat_database::compat::{EndedMeeting, MeetingStatus};
use chat_hub::DisconnectReason;
use chat_socketio::{Event, Face, Payload, Refusal, Socket};
use futures_util::FutureExt as _;
use serde_json::{Map, Value, json};

use super::Meetings;
use super::identity::{Identity, Proof};
use crate::shared::{BoxFuture, CompatError, Fields, socket_token};

const MAX_NAME_CHARACTERS: usize = 100;
const INACTIVE: &str = "Reunión no encontrada o inactiva";
const INVALID: &str = "Datos inválidos";
const FAILED: &str = "Error interno del servidor";

/// Behind the namespace of its own.
pub(super) struct MeetingsSocket(pub(super) Arc<Meetings>);

/// Whether an event is one of this system.
pub(crate) fn is_meeting_event(event: &Event) -> bool {
    let has_meeting = || {
        let first = event.payload.args.first();
        first.is_some_and(|payload| payload.get("meetingId").is_some())
    };
    match event.name.as_str() {
        "join-meeting" | "leave-meeting" | "end-meeting" => true,
        "send-message" => has_meeting(),
        _ => false,
    }
}

impl Meetings {
    /// Whoever the token names, if it names anybody.
    pub(crate) async fn find_identity(&self, token: &str) -> Result<Option<Identity>, CompatError> {
        Ok(match self.identify(token).await? {
            Proof::Identity(identity) => Some(identity),
            Proof::Nobody | Proof::Nothing => None,
        })
    }

    /// Handles an event of this system and answers it: an error is told to the socket,
    /// and either outcome to whoever waits for an acknowledgement.
    pub(crate) async fn on_event(
        &self,
        socket: &Socket,
        identity: Option<&Identity>,
        event: Event,
    ) {
        let payload = event.payload.args.into_iter().next().unwrap_or_default();
        let outcome = if identity.is_none() && !self.is_open {
            Err("Token de acceso requerido")
        } else {
            match event.name.as_str() {
                "join-meeting" => self.on_join(socket, identity, payload).await,
                "send-message" => self.on_message(socket, payload),
                "leave-meeting" => self.on_leave(socket, &payload).await,
                "end-meeting" => self.on_end(identity, &payload).await,
                _ => return,
            }
        };
        if let Err(text) = outcome {
            socket.emit("error", &Payload::from(Value::from(text)));
        }
        if let Some(ack) = event.ack {
            let answer = match outcome {
                Ok(()) => json!({"ok": true}),
                Err(text) => json!({"ok": false, "error": text}),
            };
            ack.send(&Payload::from(answer));
        }
    }

    /// The socket is gone.
    pub(crate) async fn on_gone(&self, socket: &Socket) {
        for meeting in self.live.leave_all(socket) {
            self.note_occupancy(&meeting).await;
        }
    }

    async fn on_join(
        &self,
        socket: &Socket,
        identity: Option<&Identity>,
        payload: Value,
    ) -> Result<(), &'static str> {
        let meeting = meeting_id(&payload)?;
        let fields = Fields::of(payload);
        let (user_id, known_name) = match identity {
            Some(identity) => (identity.user_id.as_str(), identity.name.as_deref()),
            // Only in open mode: whoever they say they are.
            None => {
                let said = fields.text("userId").filter(|id| !id.is_empty());
                (said.ok_or(INVALID)?, None)
            }
        };
        let name = fields
            .text("name")
            .map(str::trim)
            .filter(|name| (1..=MAX_NAME_CHARACTERS).contains(&name.chars().count()))
            .or(known_name)
            .unwrap_or(user_id);
        loop {
            let ends = self.live.ends();
            let found = self.store.find_meeting(&meeting).await;
            let found = found.map_err(|error| self.failed(error))?;
            if !found.is_some_and(|found| found.status == MeetingStatus::Active) {
                return Err(INACTIVE);
            }
            if self.live.join(ends, socket, &meeting, user_id, name) {
                break;
            }
        }
        self.note_occupancy(&meeting).await;
        Ok(())
    }

    fn on_message(&self, socket: &Socket, payload: Value) -> Result<(), &'static str> {
        let fields = Fields::of(payload);
        let meeting = fields.text("meetingId").ok_or(INVALID)?;
        let text = fields
            .text("message")
            .or(fields.text("text"))
            .ok_or(INVALID)?;
        let author = fields
            .text("author")
            .filter(|name| (1..=MAX_NAME_CHARACTERS).contains(&name.chars().count()));
        self.live.say(socket, meeting, author, text)
    }

    async fn on_leave(&self, socket: &Socket, payload: &Value) -> Result<(), &'static str> {
        let meeting = meeting_id(payload)?;
        if self.live.leave(socket, &meeting) {
            self.note_occupancy(&meeting).await;
        }
        Ok(())
    }

    /// Also announces what has ended over REST before: that is the order of clients.
    async fn on_end(
        &self,
        identity: Option<&Identity>,
        payload: &Value,
    ) -> Result<(), &'static str> {
        let meeting = meeting_id(payload)?;
        let user_id = identity.map_or("", |identity| identity.user_id.as_str());
        let ended = self.store.end_meeting(&meeting, user_id).await;
        match ended.map_err(|error| self.failed(error))? {
            EndedMeeting::Ended => {
                self.live.set_ended(&meeting);
                self.live.announce_end(&meeting);
                Ok(())
            }
            EndedMeeting::NotTheCreator => Err("Solo el creador puede finalizar la reunión"),
            EndedMeeting::NoMeeting => Err(INACTIVE),
        }
    }

    fn failed(&self, error: chat_database::DatabaseError) -> &'static str {
        CompatError::from(error).log("meetings");
        FAILED
    }
}

fn meeting_id(payload: &Value) -> Result<String, &'static str> {
    let id = payload
        .as_str()
        .or_else(|| payload.get("meetingId")?.as_str());
    Ok(id.ok_or(INVALID)?.replace('\0', "\u{fffd}"))
}

impl Face for MeetingsSocket {
    fn connect<'a>(
        &'a self,
        socket: &'a Socket,
        auth: Map<String, Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        async move {
            let Some(token) = socket_token(socket, &auth) else {
                return if self.0.is_open {
                    Ok(())
                } else {
                    Err(Refusal::new("Token de acceso requerido"))
                };
            };
            let identity = self.0.find_identity(&token).await;
            let identity = identity.map_err(|error| error.refuse("meetings"))?;
            socket.set_data(identity.ok_or_else(|| Refusal::new("Token inválido"))?);
            Ok(())
        }
        .boxed()
    }

    fn connected<'a>(&'a self, _socket: &'a Socket) -> BoxFuture<'a, ()> {
        async {}.boxed()
    }

    fn event<'a>(&'a self, socket: &'a Socket, event: Event) -> BoxFuture<'a, ()> {
        self.0
            .on_event(socket, socket.data::<Identity>(), event)
            .boxed()
    }

    fn disconnected<'a>(
        &'a self,
        socket: &'a Socket,
        _reason: DisconnectReason,
    ) -> BoxFuture<'a, ()> {
        self.0.on_gone(socket).boxed()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shared::testing::any_json;

    proptest! {
        #[test]
        fn a_meeting_is_named_by_a_text(payload in any_json()) {
            let named = payload.as_str().or(payload.get("meetingId").and_then(Value::as_str));
            match meeting_id(&payload) {
                Ok(id) => {
                    prop_assert!(!id.contains('\0'));
                    prop_assert_eq!(Some(id), named.map(|id| id.replace('\0', "\u{fffd}")));
                }
                Err(text) => {
                    prop_assert_eq!(named, None);
                    prop_assert_eq!(text, INVALID);
                }
            }
        }
    }
}
