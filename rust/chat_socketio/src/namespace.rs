//! A namespace, as those who emit see it.

use std::sync::Arc;

use chat_hub::{Hub, Topic};

use crate::packet;
use crate::payload::Payload;
use crate::socket::Socket;

/// A namespace of the server; a cheap handle.
///
/// A client may write the name with a slash at its end, which is the same namespace
/// to us but not to the client: what it gets carries the name it used. So a room is
/// two topics of the hub, and an emission is encoded once for each that has readers.
#[derive(Clone, Debug)]
pub struct Namespace {
    hub: Hub,
    name: Arc<str>,
}

impl Namespace {
    /// `name` begins with a slash and, but for `/`, does not end with one.
    pub fn new(hub: Hub, name: &str) -> Self {
        Self {
            hub,
            name: name.into(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Emits to every socket of a room but one. An acknowledgement is not asked for.
    pub fn emit_to(&self, room: &str, event: &str, payload: &Payload, except: Option<&Socket>) {
        let except: Vec<_> = except.map(Socket::connection).into_iter().collect();
        for spelling in [self.name.to_string(), format!("{}/", self.name)] {
            let topic = self.topic(&spelling, room);
            if self.hub.has_readers(&topic) {
                let frames = packet::event(&spelling, None, event, payload);
                self.hub.publish_to(&topic, frames, &except);
            }
        }
    }

    /// Waits until what was emitted before has been written to the sockets that take it.
    pub async fn written(&self) {
        self.hub.written().await;
    }

    /// The topic of those in a room that spell the namespace so.
    pub(crate) fn topic(&self, spelling: &str, room: &str) -> Topic {
        Topic::new(format!("socket.io\0{spelling}\0{room}"))
    }
}
