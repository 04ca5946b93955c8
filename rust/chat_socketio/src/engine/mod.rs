//! Engine.IO protocol 4: sessions over WebSocket, polling, or polling and then
//! WebSocket.
//!
//! A session is a connection of the hub. One that polls has a bridge as its link,
//! whose output its GETs take and whose input its POSTs are; on an upgrade the
//! connection goes on over the WebSocket. Heartbeat, bounds and ends are the hub's.

pub(crate) mod answer;
pub(crate) mod conversation;
pub(crate) mod payload;
mod polling;
pub(crate) mod request;
mod session;
mod upgrade;

use std::sync::Arc;

use bytes::Bytes;
use chat_gateway::{BridgeInput, FrameBudget, ServedConnections, SocketTerms, UpgradeRequest};
use chat_hub::{
    BridgeOutput, ConnectionRef, DisconnectReason, Hub, HubError, Link, NewConnection,
    SessionFactory, StreamSource,
};
use chat_protocol::EncodedFrame;
use chat_websocket::encode_close;
use dashmap::DashMap;
use engineioxide_core::TransportType;
use serde::Serialize;

use crate::config::SocketIoConfig;
use crate::engine::answer::{EngineError, HttpAnswer};
use crate::engine::conversation::{Application, SERVER_CLOSE};
use crate::engine::polling::{Incoming, Phase, RequestError, SessionState};
use crate::engine::request::{EngineRequest, Purpose};
use crate::engine::session::{Registered, Start};
use crate::engine::upgrade::Candidate;
use crate::id::new_id;

/// The engine under one application.
#[derive(Clone)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    config: SocketIoConfig,
    hub: Hub,
    application: Box<dyn Application>,
    /// None for one that never polls: there is nothing that requests could do.
    sessions: DashMap<String, Option<Arc<SessionState>>>,
    connections: Arc<ServedConnections>,
}

/// The content of the first packet (Engine.IO protocol 4, "Handshake").
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'static [&'static str],
    ping_interval: u128,
    ping_timeout: u128,
    max_payload: usize,
}

impl Shared {
    /// The signs of life are packets of the session, wherever its socket is.
    fn terms(&self) -> SocketTerms {
        SocketTerms {
            max_message_bytes: self.config.max_payload,
            max_frames_per_second: self.config.max_packets_per_second,
            heartbeat: None,
        }
    }

    fn budget(&self) -> FrameBudget {
        self.terms().budget()
    }

    fn open_packet(&self, sid: &str, upgrades: &'static [&'static str]) -> EncodedFrame {
        let open = Open {
            sid,
            upgrades,
            ping_interval: self.config.ping_interval.as_millis(),
            ping_timeout: self.config.ping_timeout.as_millis(),
            max_payload: self.config.max_payload,
        };
        EncodedFrame::text(|payload| {
            payload.push(b'0');
            // Texts and numbers into a vector: there is nothing that can fail.
            let _ = serde_json::to_writer(payload, &open);
        })
    }
}

impl Engine {
    pub(crate) fn new(config: SocketIoConfig, hub: Hub, application: Box<dyn Application>) -> Self {
        let sessions = DashMap::new();
        let shared = Arc::new(Shared {
            config,
            hub,
            application,
            sessions,
            connections: Arc::default(),
        });
        Self { shared }
    }

    /// See [`SocketIo::set_home`](crate::SocketIo::set_home).
    pub(crate) fn set_home(&self, is_home: bool) {
        let Shared {
            hub, connections, ..
        } = &*self.shared;
        connections.set_served(hub, is_home);
    }

    pub(crate) fn terms(&self) -> SocketTerms {
        self.shared.terms()
    }

    /// Serves a socket that asked for an upgrade.
    pub(crate) async fn accept(
        &self,
        source: StreamSource,
        mut upgrade: UpgradeRequest,
        max_connections: Option<usize>,
    ) {
        let request = EngineRequest {
            query: std::mem::take(&mut upgrade.query),
            authorization: upgrade.authorization.take(),
        };
        let purpose = request.purpose(TransportType::Websocket, true);
        let leftover = std::mem::take(&mut upgrade.leftover);
        let input = self.terms().input(leftover);
        let preamble = upgrade.switching_protocols(None);
        match purpose {
            Err(error) => source.answer_and_close(&error.to_refusal()),
            Ok(Purpose::Open) => {
                let link = Link::Socket {
                    source,
                    preamble: Bytes::from(preamble),
                    deflate: false,
                };
                // Refused only when the service stops or is full; the socket is dropped then.
                let start = Start::Socket(input);
                let started = self.open_websocket(request, link, start, max_connections);
                if let Err(error) = started {
                    tracing::debug!(%error, "a Socket.IO connection was refused");
                }
            }
            Ok(Purpose::Session(id)) => match self.begin_upgrade(&id) {
                Err(error) => source.answer_and_close(&error.to_refusal()),
                Ok(None) => {
                    let mut answer = preamble.into_bytes();
                    answer.extend_from_slice(&encode_close(1000, ""));
                    source.answer_and_close(&answer);
                }
                Ok(Some(session)) => {
                    let candidate = Candidate::New {
                        source,
                        preamble: Bytes::from(preamble),
                        input: Box::new(input),
                    };
                    // Lost only if the session has ended: then so has the socket.
                    let _ = session
                        .incoming
                        .send(Incoming::Probe(Box::new(candidate)))
                        .await;
                }
            },
        }
    }

    /// Serves a WebSocket that another server carries.
    ///
    /// # Errors
    /// Why the handshake must be refused.
    pub(crate) async fn open_bridge(
        &self,
        request: EngineRequest,
        output: Arc<BridgeOutput>,
    ) -> Result<BridgeInput, EngineError> {
        let purpose = request.purpose(TransportType::Websocket, true)?;
        let (input, frames) = BridgeInput::channel();
        match purpose {
            Purpose::Open => {
                let link = Link::Bridge(output);
                self.open_websocket(request, link, Start::Bridge(frames), None)
                    .map_err(|_| EngineError::Unavailable)?;
            }
            Purpose::Session(id) => match self.begin_upgrade(&id)? {
                None => output.close(1000, "", false),
                Some(session) => {
                    let candidate = Candidate::Bridge { output, frames };
                    let _ = session
                        .incoming
                        .send(Incoming::Probe(Box::new(candidate)))
                        .await;
                }
            },
        }
        Ok(input)
    }

    /// Serves a GET: a new session, or what there is for one.
    pub(crate) async fn get(&self, request: EngineRequest) -> HttpAnswer {
        match request.purpose(TransportType::Polling, true) {
            Err(error) => error.into(),
            Ok(Purpose::Session(id)) => match self.find(&id) {
                Err(error) => error.into(),
                Ok(session) => match session.poll().await {
                    Ok(answer) => answer,
                    Err(error) => self.refuse(&session, error),
                },
            },
            Ok(Purpose::Open) => self
                .open_polling(request)
                .unwrap_or_else(|_| EngineError::BadRequest.into()),
        }
    }

    /// Serves a POST: packets for a session.
    pub(crate) async fn post(&self, request: &EngineRequest, body: &[u8]) -> HttpAnswer {
        let id = match request.purpose(TransportType::Polling, false) {
            Ok(Purpose::Session(id)) => id,
            Ok(Purpose::Open) => return EngineError::BadHandshakeMethod.into(),
            Err(error) => return error.into(),
        };
        let session = match self.find(&id) {
            Ok(session) => session,
            Err(error) => return error.into(),
        };
        let packets = std::str::from_utf8(body)
            .ok()
            .and_then(|body| payload::decode(body).ok());
        let Some(packets) = packets else {
            self.close(&session, SERVER_CLOSE);
            return EngineError::BadRequest.into();
        };
        match session.push(packets).await {
            Ok(()) => HttpAnswer::accepted(),
            Err(error) => self.refuse(&session, error),
        }
    }

    /// The answer to any other method.
    pub(crate) fn other_method(&self, request: &EngineRequest) -> HttpAnswer {
        match request.purpose(TransportType::Polling, false) {
            Err(error) => error.into(),
            Ok(_) => EngineError::BadRequest.into(),
        }
    }

    /// The client has given up a request before its answer: as in the reference,
    /// that ends the session, because what the answer would have carried is lost.
    pub(crate) fn abandon(&self, request: &EngineRequest) {
        if let Ok(Purpose::Session(id)) = request.purpose(TransportType::Polling, false)
            && let Ok(session) = self.find(&id)
            && matches!(session.phase(), Phase::Polling | Phase::Probing)
        {
            self.close(&session, DisconnectReason::ConnectionLost);
        }
    }

    fn open_polling(&self, request: EngineRequest) -> Result<HttpAnswer, StartError> {
        let id = new_id()?;
        let (state, incoming) = SessionState::new();
        let state = Arc::new(state);
        let link = Link::Bridge(Arc::clone(&state.output));
        let session = Registered::new(self, id.clone(), Some(Arc::clone(&state)));
        let start = Start::Polling(Arc::clone(&state), incoming);
        let factory = self.session(request, session, start);
        state.set_connection(self.attach(link, factory, Vec::new(), None)?);
        let open = self.shared.open_packet(&id, &["websocket"]);
        Ok(HttpAnswer::packets(payload::encode([&open])))
    }

    fn open_websocket(
        &self,
        request: EngineRequest,
        link: Link,
        start: Start,
        max_connections: Option<usize>,
    ) -> Result<(), StartError> {
        let id = new_id()?;
        let greeting = vec![self.shared.open_packet(&id, &[])];
        let session = Registered::new(self, id, None);
        let factory = self.session(request, session, start);
        self.attach(link, factory, greeting, max_connections)?;
        Ok(())
    }

    fn session(&self, request: EngineRequest, session: Registered, start: Start) -> SessionFactory {
        let (engine, handshake) = (self.clone(), Arc::new(request.into_handshake()));
        Box::new(move |connection| {
            let application = &engine.shared.application;
            let conversation = application.open(&connection, handshake);
            Box::pin(session::run(connection, conversation, session, start))
        })
    }

    fn attach(
        &self,
        link: Link,
        session: SessionFactory,
        greeting: Vec<EncodedFrame>,
        max_connections: Option<usize>,
    ) -> Result<ConnectionRef, HubError> {
        let ping = EncodedFrame::text(|payload| payload.push(b'2'));
        let new = NewConnection {
            link,
            heartbeat: Some(self.shared.config.heartbeat()),
            session,
        };
        self.shared
            .hub
            .attach(new, Some(ping), greeting, max_connections)
    }

    /// The session of a request that polls.
    fn find(&self, id: &str) -> Result<Arc<SessionState>, EngineError> {
        let session = self.shared.sessions.get(id);
        let session = session.ok_or(EngineError::UnknownSession)?;
        session.clone().ok_or(EngineError::BadRequest)
    }

    /// None if the session has a WebSocket already, or one on trial.
    fn begin_upgrade(&self, id: &str) -> Result<Option<Arc<SessionState>>, EngineError> {
        match self.find(id) {
            Ok(session) => Ok(session.begin_probe().then_some(session)),
            Err(EngineError::BadRequest) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn refuse(&self, session: &SessionState, error: RequestError) -> HttpAnswer {
        match error {
            RequestError::Refused(error) => error.into(),
            RequestError::Overlap => {
                self.close(session, SERVER_CLOSE);
                EngineError::BadRequest.into()
            }
        }
    }

    fn close(&self, session: &SessionState, reason: DisconnectReason) {
        if let Some(connection) = session.connection() {
            self.shared.hub.close(connection, reason);
        }
    }
}

/// Why a session cannot begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}
