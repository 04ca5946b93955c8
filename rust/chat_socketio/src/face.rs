//! What a system that is reached through Socket.IO implements.

use chat_hub::DisconnectReason;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::packet;
use crate::payload::Payload;
use crate::socket::Socket;

/// A system behind one or more namespaces.
///
/// All calls for one connection come one after the other, each when the one before
/// is done, on the thread of the connection: what takes long holds up its other
/// events, and what blocks holds up other clients.
pub trait Face: Send + Sync + 'static {
    /// Decides whether a client may enter. `auth` is what it sent with its wish,
    /// empty if nothing. The client hears nothing of the socket yet.
    fn connect<'a>(
        &'a self,
        socket: &'a Socket,
        auth: Map<String, Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The client has been told that it is in.
    fn connected<'a>(&'a self, socket: &'a Socket) -> BoxFuture<'a, ()>;

    /// An event of the client.
    fn event<'a>(&'a self, socket: &'a Socket, event: Event) -> BoxFuture<'a, ()>;

    /// The client has left or is gone.
    fn disconnected<'a>(
        &'a self,
        socket: &'a Socket,
        reason: DisconnectReason,
    ) -> BoxFuture<'a, ()>;
}

/// An event of a client.
#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub payload: Payload,
    /// If the client wants an answer.
    pub ack: Option<AckSender>,
}

/// The one answer to an event.
#[derive(Debug)]
pub struct AckSender {
    pub(crate) socket: Socket,
    pub(crate) id: i64,
}

impl AckSender {
    /// Answers.
    pub fn send(self, payload: &Payload) {
        self.socket
            .send(|spelling| packet::ack(spelling, self.id, payload));
    }
}

/// Why a client may not enter a namespace.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// What it gets as the error; clients do not try again by themselves.
    Denied(Value),
    /// Nothing can be decided now: the transport closes, so that clients try again.
    Unavailable,
}

impl Refusal {
    /// `{"message": …}`, as clients expect it.
    pub fn new(message: &str) -> Self {
        Self::Denied(json!({ "message": message }))
    }
}
