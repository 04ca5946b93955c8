//! Entering over Socket.IO: a token of this system, or nothing.

use std::sync::Arc;

use chat_hub::DisconnectReason;
use chat_socketio::{Event, Face, Refusal, Socket};
use futures_util::FutureExt as _;
use serde_json::{Map, Value};

use super::Webrtc;
use super::live::Identity;
use crate::shared::{BoxFuture, socket_token};

/// Behind the namespace of its own.
pub(super) struct WebrtcSocket(pub(super) Arc<Webrtc>);

/// Whether an event is one of this system; where a name belongs to meetings too, those
/// have been asked before.
pub(crate) fn is_signalling_event(event: &Event) -> bool {
    matches!(
        event.name.as_str(),
        "join-room"
            | "leave-room"
            | "send-message"
            | "webrtc-offer"
            | "webrtc-answer"
            | "webrtc-ice-candidate"
            | "initiate-call"
            | "accept-call"
            | "reject-call"
            | "end-call"
    )
}

impl Webrtc {
    /// Whoever the token names.
    pub(crate) fn find_identity(&self, token: &str) -> Option<Identity> {
        let claims = self.accounts.verify_token(token)?;
        Some(Identity {
            user_id: claims.user_id,
            username: claims.username,
        })
    }

    pub(crate) fn on_connected(&self, socket: &Socket, identity: &Identity) {
        self.live.come(socket, identity);
    }

    pub(crate) fn on_gone(&self, socket: &Socket, identity: &Identity) {
        self.live.go(socket, identity);
    }

    /// Handles an event of this system; without an identity it is refused.
    pub(crate) async fn on_event(
        &self,
        socket: &Socket,
        identity: Option<&Identity>,
        event: Event,
    ) {
        match identity {
            Some(identity) => self.live.on_event(socket, identity, event).await,
            None => super::live::refuse_stranger(socket, event),
        }
    }
}

impl Face for WebrtcSocket {
    fn connect<'a>(
        &'a self,
        socket: &'a Socket,
        auth: Map<String, Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        let token = socket_token(socket, &auth);
        let identity = token.and_then(|token| self.0.find_identity(&token));
        let outcome = match identity {
            Some(identity) => {
                socket.set_data(identity);
                Ok(())
            }
            None => Err(Refusal::new("Authentication error")),
        };
        async { outcome }.boxed()
    }

    fn connected<'a>(&'a self, socket: &'a Socket) -> BoxFuture<'a, ()> {
        if let Some(identity) = socket.data::<Identity>() {
            self.0.on_connected(socket, identity);
        }
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
        if let Some(identity) = socket.data::<Identity>() {
            self.0.on_gone(socket, identity);
        }
        async {}.boxed()
    }
}
