//! Who is in which meeting, in memory only, and what they say, which is kept nowhere.
//!
//! Presence is per user: a second socket is no news. State and emissions change under
//! one lock, so all sockets of a meeting see one order. Sockets of both namespaces are
//! in the same meetings.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_socketio::{Namespace, Payload, Socket};
use chrono::Utc;
use serde_json::{Value, json};

use crate::shared::format_time;

#[derive(Debug)]
pub(super) struct LiveMeetings {
    namespaces: Vec<Namespace>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    meetings: HashMap<String, LiveMeeting>,
    /// Changes when a meeting ends: whoever has asked the database before asks again.
    ends: u64,
}

#[derive(Debug, Default)]
struct LiveMeeting {
    is_ended: bool,
    /// In the order of joining.
    participants: Vec<Participant>,
}

#[derive(Debug)]
struct Participant {
    user_id: String,
    name: String,
    /// By their ids.
    sockets: Vec<String>,
}

/// A point in the history of ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends(u64);

fn room_of(meeting: &str) -> String {
    format!("meeting/{meeting}")
}

impl LiveMeetings {
    pub(super) fn new(namespaces: Vec<Namespace>) -> Self {
        Self {
            namespaces,
            state: Mutex::default(),
        }
    }

    /// Read this before asking the database whether a meeting is active.
    pub(super) fn ends(&self) -> Ends {
        Ends(self.lock().ends)
    }

    /// False if a meeting ended since, and nothing is done.
    pub(super) fn join(
        &self,
        since: Ends,
        socket: &Socket,
        meeting: &str,
        user_id: &str,
        name: &str,
    ) -> bool {
        let mut state = self.lock();
        if state.ends != since.0 {
            return false;
        }
        let live = state.meetings.entry(meeting.to_owned()).or_default();
        socket.join(&room_of(meeting));
        let known = live
            .participants
            .iter_mut()
            .find(|participant| participant.user_id == user_id);
        if let Some(participant) = known {
            if !participant.sockets.iter().any(|id| id == socket.id()) {
                participant.sockets.push(socket.id().to_owned());
            }
        } else {
            live.participants.push(Participant {
                user_id: user_id.to_owned(),
                name: name.to_owned(),
                sockets: vec![socket.id().to_owned()],
            });
            let count = live.participants.len();
            let joined = json!({"userId": user_id, "name": name, "participantCount": count});
            self.emit(meeting, "user-joined", joined, None);
        }
        let list: Vec<Value> = live
            .participants
            .iter()
            .map(|participant| json!({"userId": participant.user_id, "name": participant.name}))
            .collect();
        socket.emit("participants-list", &Payload::from(Value::Array(list)));
        let joined = format!("Unido a reunión {meeting}");
        socket.emit("joined", &Payload::from(Value::String(joined)));
        true
    }

    /// Relays to everybody in the meeting but the sending socket.
    ///
    /// # Errors
    /// The text for the sender.
    pub(super) fn say(
        &self,
        socket: &Socket,
        meeting: &str,
        author: Option<&str>,
        text: &str,
    ) -> Result<(), &'static str> {
        let state = self.lock();
        let live = state.meetings.get(meeting);
        let sender = live.and_then(|live| {
            let mut participants = live.participants.iter();
            participants.find(|participant| participant.sockets.iter().any(|id| id == socket.id()))
        });
        let sender = sender.ok_or("No estás en la reunión")?;
        if text.trim().is_empty() {
            return Err("Mensaje vacío");
        }
        if text.chars().count() > 5000 {
            return Err("Mensaje demasiado largo");
        }
        if live.is_some_and(|live| live.is_ended) {
            return Err("Reunión no encontrada o inactiva");
        }
        let message = json!({
            "author": author.unwrap_or(&sender.name),
            "text": text,
            "timestamp": format_time(Utc::now()),
            "userId": sender.user_id,
        });
        self.emit(meeting, "receive-message", message, Some(socket));
        Ok(())
    }

    /// True if nobody is left.
    pub(super) fn leave(&self, socket: &Socket, meeting: &str) -> bool {
        let mut state = self.lock();
        socket.leave(&room_of(meeting));
        self.remove(&mut state, socket, meeting)
    }

    /// The meetings in which nobody is left without this socket.
    pub(super) fn leave_all(&self, socket: &Socket) -> Vec<String> {
        let mut state = self.lock();
        let is_in = |live: &LiveMeeting| {
            let mut sockets = live.participants.iter().flat_map(|known| &known.sockets);
            sockets.any(|id| id == socket.id())
        };
        let mut meetings: Vec<String> = state
            .meetings
            .iter()
            .filter(|(_, live)| is_in(live))
            .map(|(meeting, _)| meeting.clone())
            .collect();
        meetings.retain(|meeting| self.remove(&mut state, socket, meeting));
        meetings
    }

    fn remove(&self, state: &mut State, socket: &Socket, meeting: &str) -> bool {
        let Some(live) = state.meetings.get_mut(meeting) else {
            return false;
        };
        for participant in &mut live.participants {
            participant.sockets.retain(|id| id != socket.id());
        }
        let gone = live
            .participants
            .iter()
            .position(|known| known.sockets.is_empty());
        let Some(gone) = gone.map(|index| live.participants.remove(index)) else {
            return false;
        };
        let count = live.participants.len();
        if count == 0 {
            state.meetings.remove(meeting);
            return true;
        }
        let left = json!({"userId": gone.user_id, "participantCount": count});
        self.emit(meeting, "user-left", left, None);
        false
    }

    pub(super) fn is_occupied(&self, meeting: &str) -> bool {
        self.lock().meetings.contains_key(meeting)
    }

    /// The meetings somebody is in.
    pub(super) fn occupied(&self) -> Vec<String> {
        self.lock().meetings.keys().cloned().collect()
    }

    /// Nobody may speak in it any more.
    pub(super) fn set_ended(&self, meeting: &str) {
        let mut state = self.lock();
        state.ends += 1;
        if let Some(live) = state.meetings.get_mut(meeting) {
            live.is_ended = true;
        }
    }

    /// Meetings nobody was in have ended.
    pub(super) fn note_ends(&self) {
        self.lock().ends += 1;
    }

    pub(super) fn announce_end(&self, meeting: &str) {
        let _order = self.lock();
        let text = Value::from("La reunión ha terminado.");
        self.emit(meeting, "meeting-ended", text, None);
    }

    fn emit(&self, meeting: &str, event: &str, argument: Value, except: Option<&Socket>) {
        let payload = Payload::from(argument);
        for namespace in &self.namespaces {
            namespace.emit_to(&room_of(meeting), event, &payload, except);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves at worst a participant too many.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
