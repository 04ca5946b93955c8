//! What the official suites of Engine.IO and Socket.IO expect of a server under
//! test: an echo on `/engine.io/`, and on `/socket.io/` the namespaces `/` and
//! `/custom` that give back what they get. For tests and benchmarks of our own they
//! also have rooms and ask questions.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chat_hub::{Connection, ConnectionRef, DisconnectReason, Heartbeat, Hub};
use chat_protocol::EncodedFrame;
use engineioxide_core::Str;
use futures_util::future::{BoxFuture, FutureExt as _, LocalBoxFuture};
use serde_json::{Map, Value};

use crate::config::SocketIoConfig;
use crate::engine::conversation::{Application, Conversation, Undecodable};
use crate::engine::request::Handshake;
use crate::face::{Event, Face, Refusal};
use crate::payload::Payload;
use crate::socket::Socket;

/// The namespaces of the suite.
pub(crate) const NAMESPACES: [&str; 2] = ["/", "/custom"];

/// The suite listens for one message at a time and misses one that comes in the same
/// read as the one before.
const BEFORE_AUTH: Duration = Duration::from_millis(10);

/// The limits of the suites.
pub(crate) fn config(heartbeat: Heartbeat) -> SocketIoConfig {
    SocketIoConfig {
        ping_interval: heartbeat.interval,
        ping_timeout: heartbeat.timeout,
        connect_timeout: Duration::from_secs(1),
        attachment_timeout: Duration::from_secs(1),
        ..SocketIoConfig::default()
    }
}

/// Gives back what a client sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo;

impl Face for Echo {
    fn connect<'a>(
        &'a self,
        socket: &'a Socket,
        auth: Map<String, Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        socket.set_data(Payload::from(Value::Object(auth)));
        async { Ok(()) }.boxed()
    }

    fn connected<'a>(&'a self, socket: &'a Socket) -> BoxFuture<'a, ()> {
        async move {
            tokio::time::sleep(BEFORE_AUTH).await;
            if let Some(auth) = socket.data::<Payload>() {
                socket.emit("auth", auth);
            }
        }
        .boxed()
    }

    fn event<'a>(&'a self, socket: &'a Socket, event: Event) -> BoxFuture<'a, ()> {
        let Event { name, payload, ack } = event;
        let room = payload.args.first().and_then(Value::as_str);
        match (name.as_str(), room) {
            ("message", _) => socket.emit("message-back", &payload),
            ("message-with-ack", _) => {
                if let Some(ack) = ack {
                    ack.send(&payload);
                }
            }
            ("ask", _) => ask(socket.clone(), payload),
            ("join", Some(room)) => {
                socket.join(room);
                if let Some(ack) = ack {
                    ack.send(&Payload::default());
                }
            }
            ("say", Some(room)) => {
                let namespace = socket.namespace();
                namespace.emit_to(room, "said", &payload, Some(socket));
            }
            ("tell", Some(room)) => socket.namespace().emit_to(room, "told", &payload, None),
            ("leave", _) => socket.disconnect(),
            _ => {}
        }
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

/// Asks the client, and tells it what it answered.
fn ask(socket: Socket, question: Payload) {
    tokio::spawn(async move {
        let answer = socket
            .emit_with_ack("question", &question, Duration::from_secs(5))
            .await;
        if let Ok(answer) = answer {
            socket.emit("answer", &answer);
        }
    });
}

/// The same below Socket.IO.
pub(crate) struct EngineEcho {
    pub(crate) hub: Hub,
}

struct EchoConversation {
    hub: Hub,
    connection: ConnectionRef,
}

impl Application for EngineEcho {
    fn open(
        &self,
        connection: &Rc<Connection>,
        _handshake: Arc<Handshake>,
    ) -> Box<dyn Conversation> {
        Box::new(EchoConversation {
            hub: self.hub.clone(),
            connection: connection.reference(),
        })
    }
}

impl EchoConversation {
    fn send(&self, frame: EncodedFrame) -> LocalBoxFuture<'_, Result<(), Undecodable>> {
        self.hub.send(self.connection, frame);
        async { Ok(()) }.boxed_local()
    }
}

impl Conversation for EchoConversation {
    fn on_text(&mut self, text: Str) -> LocalBoxFuture<'_, Result<(), Undecodable>> {
        let packet = EncodedFrame::text(|payload| {
            payload.push(b'4');
            payload.extend_from_slice(text.as_bytes());
        });
        self.send(packet)
    }

    fn on_binary(&mut self, payload: Vec<u8>) -> LocalBoxFuture<'_, Result<(), Undecodable>> {
        self.send(EncodedFrame::binary(&payload))
    }

    fn on_end(&mut self, _reason: DisconnectReason) -> LocalBoxFuture<'_, ()> {
        async {}.boxed_local()
    }
}
