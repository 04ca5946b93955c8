//! Socket.IO, on which clients of this system only listen: they send no events.

use std::sync::Arc;

use chat_hub::DisconnectReason;
use chat_socketio::{Event, Face, Namespace, Payload, Refusal, Socket};
use futures_util::FutureExt as _;
use serde_json::{Map, Value};

use super::Calls;
use crate::shared::{BoxFuture, socket_token};

/// Everybody who hears announcements.
pub(super) const LISTENERS: &str = "calls";

/// Lets listeners in: in secure mode those with an IzpoChat account.
#[derive(Debug)]
pub(super) struct CallsSocket(pub(super) Arc<Calls>);

/// Emits to all listeners of these namespaces.
pub(super) fn emit_to_listeners(namespaces: &[Namespace], event: &str, argument: Value) {
    let payload = Payload::from(argument);
    for namespace in namespaces {
        namespace.emit_to(LISTENERS, event, &payload, None);
    }
}

impl Face for CallsSocket {
    fn connect<'a>(
        &'a self,
        socket: &'a Socket,
        auth: Map<String, Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        async move {
            if self.0.is_open {
                return Ok(());
            }
            let is_listener = match socket_token(socket, &auth) {
                Some(token) => self.0.is_listener(&token).await,
                None => Ok(false),
            };
            if is_listener.map_err(|error| error.refuse("calls"))? {
                Ok(())
            } else {
                Err(Refusal::new("Authentication error"))
            }
        }
        .boxed()
    }

    fn connected<'a>(&'a self, socket: &'a Socket) -> BoxFuture<'a, ()> {
        self.0.listen(socket);
        async {}.boxed()
    }

    fn event<'a>(&'a self, _socket: &'a Socket, _event: Event) -> BoxFuture<'a, ()> {
        async {}.boxed()
    }

    fn disconnected<'a>(
        &'a self,
        _socket: &'a Socket,
        _reason: DisconnectReason,
    ) -> BoxFuture<'a, ()> {
        async {}.boxed()
    }
}
