//! Rooms, signalling and calls over Socket.IO (contract sections 2 to 5).

mod calls;
mod events;
mod people;
mod relay;
mod rooms;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_database::CompatStore;
use chat_socketio::{Namespace, Payload, Socket};
use serde_json::Value;

use self::calls::Calls;
pub(super) use self::events::refuse_stranger;
use self::people::People;
use crate::shared::{MessageQueue, ObjectIds};

/// Everything that lives as long as sockets do.
#[derive(Debug)]
pub(super) struct Live {
    namespaces: Vec<Namespace>,
    store: CompatStore,
    messages: MessageQueue,
    /// Held for memory only. What is emitted is emitted under it, so that all sockets
    /// of a room see one order.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    people: People,
    calls: Calls,
}

/// Whose socket it is; from the token, never from a payload.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(super) user_id: String,
    pub(super) username: String,
}

/// A refusal for the client.
pub(super) type Refused = &'static str;

impl Live {
    pub(super) fn new(namespaces: Vec<Namespace>, store: CompatStore, ids: Arc<ObjectIds>) -> Self {
        Self {
            namespaces,
            messages: MessageQueue::start("webrtc", store.clone(), ids),
            store,
            state: Mutex::default(),
        }
    }

    /// Waits until accepted messages are stored and on their way.
    pub(super) async fn flush(&self) {
        self.messages.flush().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves at worst somebody in a room too many.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn emit_to_room(&self, room: &str, event: &str, argument: Value, except: Option<&Socket>) {
        let payload = Payload::from(argument);
        for namespace in &self.namespaces {
            namespace.emit_to(&topic_of(room), event, &payload, except);
        }
    }
}

fn topic_of(room: &str) -> String {
    format!("webrtc/{room}")
}
