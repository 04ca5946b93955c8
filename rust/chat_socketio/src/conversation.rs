//! Socket.IO protocol 5 over one session of the engine.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chat_hub::{Connection, ConnectionRef, DisconnectReason, Hub};
use engineioxide_core::Str;
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use serde_json::{Map, Value};
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::{Parse as _, ParseConfig, ParseError, ParserState};
use socketioxide_parser_common::CommonParser;
use tokio::task::AbortHandle;

use crate::config::SocketIoConfig;
use crate::engine::conversation::{Application, Conversation, SERVER_CLOSE, Undecodable};
use crate::engine::request::Handshake;
use crate::face::{AckSender, Event, Face, Refusal};
use crate::half_pairs::replace_half_pairs;
use crate::id::new_id;
use crate::namespace::Namespace;
use crate::packet::{self, ClientPacket};
use crate::socket::Socket;

/// Namespaces and who serves them.
pub(crate) type Faces = HashMap<String, (Namespace, Arc<dyn Face>)>;

/// Socket.IO as an application of the engine.
pub(crate) struct Server {
    hub: Hub,
    faces: Arc<Faces>,
    parsing: Arc<ParseConfig>,
    config: SocketIoConfig,
}

impl Server {
    pub(crate) fn new(config: SocketIoConfig, hub: Hub, faces: Faces) -> Self {
        let parsing = ParseConfig {
            max_incoming_binary_buf_size: config.max_payload,
            max_incoming_binaries: config.max_attachments,
            packet_completion_timeout: config.attachment_timeout,
        };
        Self {
            hub,
            faces: Arc::new(faces),
            parsing: Arc::new(parsing),
            config,
        }
    }
}

impl Application for Server {
    fn open(
        &self,
        connection: &Rc<Connection>,
        handshake: Arc<Handshake>,
    ) -> Box<dyn Conversation> {
        let deadline = Deadline::start(connection, self.config.connect_timeout);
        Box::new(Dialogue {
            hub: self.hub.clone(),
            faces: Arc::clone(&self.faces),
            parsing: Arc::clone(&self.parsing),
            attachment_timeout: self.config.attachment_timeout,
            connection: Rc::clone(connection),
            reference: connection.reference(),
            handshake,
            sockets: HashMap::new(),
            parser: ParserState::default(),
            no_namespace: Some(deadline),
            incomplete: None,
        })
    }
}

/// Closes a connection after a time, unless it is dropped before.
struct Deadline(AbortHandle);

impl Deadline {
    fn start(connection: &Rc<Connection>, after: Duration) -> Self {
        let connection = Rc::downgrade(connection);
        let task = tokio::task::spawn_local(async move {
            tokio::time::sleep(after).await;
            if let Some(connection) = connection.upgrade() {
                connection.disconnect(SERVER_CLOSE);
            }
        });
        Self(task.abort_handle())
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One session: the sockets of a connection.
struct Dialogue {
    hub: Hub,
    faces: Arc<Faces>,
    parsing: Arc<ParseConfig>,
    attachment_timeout: Duration,
    connection: Rc<Connection>,
    reference: ConnectionRef,
    handshake: Arc<Handshake>,
    /// By the name of the namespace as the client writes it.
    sockets: HashMap<String, (Socket, Arc<dyn Face>)>,
    parser: ParserState,
    /// Runs until the client is in a namespace.
    no_namespace: Option<Deadline>,
    /// Runs while attachments are to come.
    incomplete: Option<Deadline>,
}

impl Dialogue {
    async fn take(&mut self, decoded: Result<Packet, ParseError>) -> Result<(), Undecodable> {
        match decoded {
            Ok(packet) => {
                self.incomplete = None;
                let (namespace, packet) = ClientPacket::check(packet)?;
                self.handle(namespace, packet).await
            }
            Err(ParseError::NeedsMoreBinaryData) => {
                if self.incomplete.is_none() {
                    let deadline = Deadline::start(&self.connection, self.attachment_timeout);
                    self.incomplete = Some(deadline);
                }
                Ok(())
            }
            Err(error) => {
                tracing::debug!(%error, "a Socket.IO packet could not be decoded");
                Err(Undecodable)
            }
        }
    }

    async fn handle(&mut self, namespace: String, packet: ClientPacket) -> Result<(), Undecodable> {
        let socket = self.sockets.get(&namespace);
        match (packet, socket) {
            (ClientPacket::Connect { auth }, None) => {
                self.connect(namespace, auth).await;
                Ok(())
            }
            (ClientPacket::Connect { auth }, Some((socket, _))) if !socket.is_connected() => {
                self.connect(namespace, auth).await;
                Ok(())
            }
            // As with the reference: a packet for a namespace the client is not in, or
            // a second wish for one it is in.
            (ClientPacket::Connect { .. }, Some(_)) | (_, None) => Err(Undecodable),
            // The client does not know yet that the server has ended it.
            (_, Some((socket, _))) if !socket.is_connected() => Ok(()),
            (ClientPacket::Disconnect, Some(_)) => {
                if let Some((socket, face)) = self.sockets.remove(&namespace)
                    && socket.end()
                {
                    let reason = DisconnectReason::ClientClosed;
                    face.disconnected(&socket, reason).await;
                }
                Ok(())
            }
            (ClientPacket::Event { name, payload, ack }, Some((socket, face))) => {
                self.hub.relieved().await;
                let ack = ack.map(|id| AckSender {
                    socket: socket.clone(),
                    id,
                });
                face.event(socket, Event { name, payload, ack }).await;
                Ok(())
            }
            (ClientPacket::Ack { id, payload }, Some((socket, _))) => {
                socket.answered(id, payload);
                Ok(())
            }
        }
    }

    async fn connect(&mut self, spelling: String, auth: Map<String, Value>) {
        let name = match spelling.strip_suffix('/') {
            Some(name) if !name.is_empty() => name,
            _ => &spelling,
        };
        let refusal = match (self.faces.get(name), new_id()) {
            (None, _) => Refusal::new("Invalid namespace"),
            (_, Err(_)) => Refusal::Unavailable,
            (Some((namespace, face)), Ok(id)) => {
                let socket = Socket::new(
                    id,
                    self.hub.clone(),
                    namespace.clone(),
                    spelling.clone(),
                    self.reference,
                    Arc::clone(&self.handshake),
                );
                match face.connect(&socket, auth).await {
                    Err(refusal) => {
                        socket.end();
                        refusal
                    }
                    Ok(()) => {
                        self.no_namespace = None;
                        let face = Arc::clone(face);
                        socket.send_connected();
                        let entry = (socket.clone(), Arc::clone(&face));
                        self.sockets.insert(spelling, entry);
                        face.connected(&socket).await;
                        return;
                    }
                }
            }
        };
        match refusal {
            Refusal::Denied(reason) => {
                let error = packet::connect_error(&spelling, &reason);
                self.hub.send(self.reference, error);
            }
            Refusal::Unavailable => self.connection.disconnect(SERVER_CLOSE),
        }
    }
}

impl Conversation for Dialogue {
    fn on_text(&mut self, text: Str) -> LocalBoxFuture<'_, Result<(), Undecodable>> {
        let text = match replace_half_pairs(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(replaced) => replaced.into(),
        };
        let decoded = CommonParser.decode_str(&self.parsing, &self.parser, text);
        self.take(decoded).boxed_local()
    }

    fn on_binary(&mut self, payload: Vec<u8>) -> LocalBoxFuture<'_, Result<(), Undecodable>> {
        let decoded = CommonParser.decode_bin(&self.parsing, &self.parser, payload.into());
        self.take(decoded).boxed_local()
    }

    fn on_end(&mut self, reason: DisconnectReason) -> LocalBoxFuture<'_, ()> {
        async move {
            self.no_namespace = None;
            self.incomplete = None;
            for (_, (socket, face)) in self.sockets.drain() {
                if socket.end() {
                    face.disconnected(&socket, reason).await;
                }
            }
        }
        .boxed_local()
    }
}
