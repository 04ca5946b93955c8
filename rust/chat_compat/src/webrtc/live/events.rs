//! What each event does, and how it is answered.

use std::sync::Arc;

use chat_socketio::{AckSender, Event, Payload, Socket};
use serde_json::{Value, json};

use super::{Identity, Live, Refused};

/// Tells the sender what went wrong: as an event, and to whoever waits for an answer.
pub(super) fn refuse(socket: &Socket, event: &str, text: Refused, ack: Option<AckSender>) {
    let error = json!({"message": text, "event": event});
    socket.emit("error", &Payload::from(error));
    deny(ack, text);
}

pub(super) fn deny(ack: Option<AckSender>, text: &str) {
    if let Some(ack) = ack {
        let answer = json!({"success": false, "ok": false, "error": text});
        ack.send(&Payload::from(answer));
    }
}

pub(super) fn confirm(ack: Option<AckSender>, mut answer: Value) {
    if let Some(ack) = ack {
        if !answer.is_object() {
            answer = json!({});
        }
        answer["ok"] = Value::Bool(true);
        answer["success"] = Value::Bool(true);
        ack.send(&Payload::from(answer));
    }
}

/// For a socket that nobody of this system has.
pub(in crate::webrtc) fn refuse_stranger(socket: &Socket, event: Event) {
    refuse(socket, &event.name, "Authentication error", event.ack);
}

impl Live {
    pub(in crate::webrtc) fn come(&self, socket: &Socket, identity: &Identity) {
        self.lock().people.come(socket, identity);
    }

    /// The socket is gone; stored participation stays.
    pub(in crate::webrtc) fn go(&self, socket: &Socket, identity: &Identity) {
        let rooms = self.lock().people.rooms_of(socket);
        for room in rooms {
            self.leave_one(socket, identity, &room);
        }
        let mut state = self.lock();
        if state.people.go(socket, &identity.user_id) {
            state.drop_out(&identity.user_id, "disconnected", socket, identity);
        }
    }

    pub(in crate::webrtc) async fn on_event(
        self: &Arc<Self>,
        socket: &Socket,
        identity: &Identity,
        event: Event,
    ) {
        let Event {
            name,
            payload,
            mut ack,
        } = event;
        let attachments = payload.attachments;
        let argument = payload.args.into_iter().next().unwrap_or_default();
        let outcome = match name.as_str() {
            "join-room" => self.join_room(socket, identity, &argument).await,
            "leave-room" => self.leave_room(socket, identity, &argument).await,
            "send-message" => {
                let sent = self
                    .send_message(socket, identity, argument, &mut ack)
                    .await;
                match sent {
                    Ok(()) => return,
                    Err(text) => Err(text),
                }
            }
            "webrtc-offer" | "webrtc-answer" | "webrtc-ice-candidate" => {
                self.relay(socket, identity, &name, argument, attachments)
            }
            "initiate-call" => match self.initiate_call(socket, identity, argument) {
                Ok(Some(answer)) => Ok(answer),
                // Told by an event of its own.
                Ok(None) => return deny(ack, "unavailable"),
                Err(text) => Err(text),
            },
            "accept-call" => self.accept_call(socket, identity, argument),
            "reject-call" => self.reject_call(socket, identity, argument),
            "end-call" => self.end_call(socket, identity, argument),
            _ => return,
        };
        match outcome {
            Ok(answer) => confirm(ack, answer),
            Err(text) => refuse(socket, &name, text, ack),
        }
    }
}
