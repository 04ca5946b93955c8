//! A system with rooms: who joins, who talks, who is gone.

use chat_hub::DisconnectReason;
use chat_socketio::{Event, Face, Payload, Refusal, Socket};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

/// Its namespace.
pub(crate) const ROOMS: &str = "/rooms";

pub(crate) struct Rooms;

impl Face for Rooms {
    fn connect<'a>(
        &'a self,
        socket: &'a Socket,
        auth: Map<String, Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        async move {
            let name = auth.get("name").and_then(Value::as_str);
            socket.set_data(name.ok_or_else(|| Refusal::new("who are you?"))?.to_owned());
            Ok(())
        }
        .boxed()
    }

    fn connected<'a>(&'a self, _: &'a Socket) -> BoxFuture<'a, ()> {
        async {}.boxed()
    }

    fn event<'a>(&'a self, socket: &'a Socket, event: Event) -> BoxFuture<'a, ()> {
        async move {
            let said = event.payload;
            match event.name.as_str() {
                "join" => socket.join("room"),
                "say" => socket
                    .namespace()
                    .emit_to("room", "said", &said, Some(socket)),
                "end" => socket.close_connection(),
                _ => {}
            }
            if let Some(ack) = event.ack {
                ack.send(&said);
            }
        }
        .boxed()
    }

    fn disconnected<'a>(&'a self, socket: &'a Socket, _: DisconnectReason) -> BoxFuture<'a, ()> {
        async move {
            let name = socket.data::<String>();
            let gone = Payload::from(json!(name));
            socket.namespace().emit_to("room", "gone", &gone, None);
        }
        .boxed()
    }
}
