//! A session of the engine on its shard's thread: packets in, until it ends.

use std::rc::Rc;
use std::sync::Arc;

use chat_gateway::{
    BridgeFrame, FrameBudget, MessageHandler, SocketInput, pause, receive_bridge, receive_socket,
};
use chat_hub::{Connection, DisconnectReason, ReplacementLink};
use chat_websocket::Event;
use engineioxide_core::{Packet, ProtocolVersion};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::engine::conversation::{Conversation, SERVER_CLOSE};
use crate::engine::polling::{Incoming, SessionState};
use crate::engine::upgrade::{Candidate, probe};
use crate::engine::{Engine, Shared};

/// Where a session gets its packets from at first.
pub(crate) enum Start {
    Polling(Arc<SessionState>, mpsc::Receiver<Incoming>),
    Socket(SocketInput),
    Bridge(mpsc::Receiver<BridgeFrame>),
}

/// Serves a session until it has ended.
pub(crate) async fn run(
    connection: Rc<Connection>,
    conversation: Box<dyn Conversation>,
    session: Registered,
    start: Start,
) {
    let served = session.shared.connections.enter(&connection);
    let mut dialogue = Dialogue {
        connection: Rc::clone(&connection),
        conversation,
        polls: matches!(start, Start::Polling(..)),
    };
    let reason = match start {
        Start::Socket(mut input) => receive_socket(&connection, &mut dialogue, &mut input).await,
        Start::Bridge(mut frames) => {
            let mut budget = session.shared.budget();
            receive_bridge(&connection, &mut dialogue, &mut frames, &mut budget).await;
            DisconnectReason::ClientClosed
        }
        Start::Polling(state, incoming) => {
            Box::pin(poll(&mut dialogue, &session, &state, incoming)).await
        }
    };
    connection.disconnect(reason);
    let reason = connection.end_reason().unwrap_or(reason);
    session.end(reason);
    dialogue.conversation.on_end(reason).await;
    drop((dialogue, served));
    Box::pin(connection.finish()).await;
}

/// Handles packets of a client that polls, and what it upgrades to.
async fn poll(
    dialogue: &mut Dialogue,
    session: &Registered,
    state: &Arc<SessionState>,
    mut incoming: mpsc::Receiver<Incoming>,
) -> DisconnectReason {
    let connection = Rc::clone(&dialogue.connection);
    let mut budget = session.shared.budget();
    while connection.is_open() {
        let received = tokio::select! {
            received = incoming.recv() => received,
            () = connection.closing() => None,
        };
        match received {
            Some(Incoming::Packets(packets)) => {
                let charged = budget.charge(packets.len(), Instant::now());
                dialogue.note_pongs(&packets);
                for packet in packets {
                    if connection.is_open() {
                        dialogue.handle(packet).await;
                    }
                }
                if let Some(read_again) = charged {
                    pause(&connection, read_again).await;
                }
            }
            Some(Incoming::Probe(candidate)) => begin_probe(session, state, *candidate),
            Some(Incoming::Upgrade(candidate)) => {
                return upgrade(dialogue, state, *candidate, budget).await;
            }
            None => break,
        }
    }
    // Ended by the shard already: this reason is not the first, so it does not count.
    DisconnectReason::ConnectionLost
}

/// Probes beside the session, which goes on polling meanwhile.
fn begin_probe(session: &Registered, state: &Arc<SessionState>, candidate: Candidate) {
    let state = Arc::clone(state);
    let patience = session.shared.config.upgrade_timeout;
    tokio::task::spawn_local(async move {
        match tokio::time::timeout(patience, probe(candidate)).await {
            // Lost only if the session has ended.
            Ok(Ok(probed)) => {
                let probed = Incoming::Upgrade(Box::new(probed));
                let _ = state.incoming.send(probed).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a transport was not upgraded");
                state.probe_failed();
            }
            Err(_) => state.probe_failed(),
        }
    });
}

async fn upgrade(
    dialogue: &mut Dialogue,
    state: &SessionState,
    candidate: Candidate,
    mut budget: FrameBudget,
) -> DisconnectReason {
    let connection = Rc::clone(&dialogue.connection);
    if !state.upgraded() {
        return DisconnectReason::ConnectionLost;
    }
    dialogue.polls = false;
    match candidate {
        Candidate::Socket {
            stream,
            mut input,
            events,
        } => {
            let link = ReplacementLink::Socket(stream);
            if connection.replace_link(link).is_err() {
                return DisconnectReason::ConnectionLost;
            }
            for event in events {
                match event {
                    Event::Text(text) => dialogue.on_text(text).await,
                    Event::Binary(payload) => dialogue.on_binary(payload).await,
                    Event::Close(_) => return DisconnectReason::ClientClosed,
                    Event::Ping(_) | Event::Pong(_) => {}
                }
            }
            receive_socket(&connection, dialogue, &mut input).await
        }
        Candidate::Bridge { output, mut frames } => {
            let link = ReplacementLink::Bridge(output);
            if connection.replace_link(link).is_err() {
                return DisconnectReason::ConnectionLost;
            }
            receive_bridge(&connection, dialogue, &mut frames, &mut budget).await;
            DisconnectReason::ClientClosed
        }
        Candidate::New { .. } => DisconnectReason::ConnectionLost,
    }
}

/// The packets of a session and what they mean to the engine.
struct Dialogue {
    connection: Rc<Connection>,
    conversation: Box<dyn Conversation>,
    polls: bool,
}

impl Dialogue {
    /// A sign of life counts when it arrives, not behind what comes before it.
    fn note_pongs(&self, packets: &[Packet]) {
        if packets.contains(&Packet::Pong) {
            self.connection.pong_received();
        }
    }

    async fn handle(&mut self, packet: Packet) {
        let understood = match packet {
            Packet::Message(text) => self.conversation.on_text(text).await.is_ok(),
            Packet::Binary(payload) => self.conversation.on_binary(payload.into()).await.is_ok(),
            Packet::Pong => {
                self.connection.pong_received();
                true
            }
            Packet::Close => {
                // A WebSocket is closed by its own means.
                let reason = if self.polls {
                    DisconnectReason::ClientClosed
                } else {
                    SERVER_CLOSE
                };
                self.connection.disconnect(reason);
                true
            }
            Packet::Noop | Packet::Upgrade => true,
            // In this version of the protocol the server asks and the client answers.
            _ => false,
        };
        if !understood {
            self.connection.disconnect(SERVER_CLOSE);
        }
    }
}

impl MessageHandler for Dialogue {
    async fn on_text(&mut self, text: String) {
        match Packet::parse(ProtocolVersion::V4, text) {
            // On this transport binary messages are not in base64.
            Ok(Packet::Binary(_)) | Err(_) => self.connection.disconnect(SERVER_CLOSE),
            Ok(packet) => self.handle(packet).await,
        }
    }

    async fn on_binary(&mut self, payload: Vec<u8>) {
        if self.conversation.on_binary(payload).await.is_err() {
            self.connection.disconnect(SERVER_CLOSE);
        }
    }
}

/// A session that requests can find, until this is dropped.
pub(crate) struct Registered {
    shared: Arc<Shared>,
    id: String,
}

impl Registered {
    /// `state` is none for a session that never polls.
    pub(crate) fn new(engine: &Engine, id: String, state: Option<Arc<SessionState>>) -> Self {
        let shared = Arc::clone(&engine.shared);
        shared.sessions.insert(id.clone(), state);
        Self { shared, id }
    }

    /// No request finds it from here on; one that waits comes back.
    fn end(&self, reason: DisconnectReason) {
        if let Some((_, Some(state))) = self.shared.sessions.remove(&self.id) {
            state.end(reason == DisconnectReason::ClientClosed);
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.end(DisconnectReason::ConnectionLost);
    }
}
