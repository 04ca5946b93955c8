//! What runs over the engine: Socket.IO, or the echo of the conformance suite.

use std::rc::Rc;
use std::sync::Arc;

use chat_hub::{Connection, DisconnectReason};
use engineioxide_core::Str;
use futures_util::future::LocalBoxFuture;

use crate::engine::request::Handshake;

/// Opens conversations with clients.
pub(crate) trait Application: Send + Sync + 'static {
    /// On the shard's thread of the connection.
    fn open(&self, connection: &Rc<Connection>, handshake: Arc<Handshake>)
    -> Box<dyn Conversation>;
}

/// The client said something that cannot be understood: the session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

/// One session's messages, in order.
pub(crate) trait Conversation {
    /// Handles a text message.
    fn on_text(&mut self, text: Str) -> LocalBoxFuture<'_, Result<(), Undecodable>>;

    /// Handles a binary message.
    fn on_binary(&mut self, payload: Vec<u8>) -> LocalBoxFuture<'_, Result<(), Undecodable>>;

    /// The session has ended.
    fn on_end(&mut self, reason: DisconnectReason) -> LocalBoxFuture<'_, ()>;
}

/// How the server ends a session of its own will; the reference sends no reason either.
pub(crate) const SERVER_CLOSE: DisconnectReason = DisconnectReason::Dismissed(1000, "");
