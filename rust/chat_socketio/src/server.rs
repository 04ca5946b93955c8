//! The entrance: which request goes to which engine.

use std::sync::Arc;

use chat_gateway::{BridgeInput, SocketTerms, UpgradeRequest};
use chat_hub::{BridgeOutput, Heartbeat, Hub, StreamSource};

use crate::config::SocketIoConfig;
use crate::conformance::{self, Echo, EngineEcho};
use crate::conversation::{Faces, Server};
use crate::engine::Engine;
use crate::engine::answer::{EngineError, HttpAnswer};
use crate::engine::request::EngineRequest;
use crate::face::Face;
use crate::namespace::Namespace;

const PATH: &str = "/socket.io";
/// Where the conformance suite of Engine.IO expects its server.
const CONFORMANCE_PATH: &str = "/engine.io";

/// A Socket.IO server; a cheap handle.
#[derive(Clone)]
pub struct SocketIo {
    engine: Engine,
    /// None but under the conformance suites.
    echo: Option<Engine>,
}

impl SocketIo {
    /// A server for these namespaces.
    pub fn new(
        config: SocketIoConfig,
        hub: Hub,
        faces: impl IntoIterator<Item = (Namespace, Arc<dyn Face>)>,
    ) -> Self {
        let faces: Faces = faces
            .into_iter()
            .map(|(namespace, face)| (namespace.name().to_owned(), (namespace, face)))
            .collect();
        let server = Server::new(config.clone(), hub.clone(), faces);
        Self {
            engine: Engine::new(config, hub, Box::new(server)),
            echo: None,
        }
    }

    /// The server that the official conformance suites expect, and nothing else. They
    /// also expect a certain heartbeat.
    pub fn for_conformance_suites(hub: Hub, heartbeat: Heartbeat) -> Self {
        let config = conformance::config(heartbeat);
        let face: Arc<dyn Face> = Arc::new(Echo);
        let faces = conformance::NAMESPACES
            .map(|name| (Namespace::new(hub.clone(), name), Arc::clone(&face)));
        let echo = EngineEcho { hub: hub.clone() };
        let echo = Engine::new(config.clone(), hub.clone(), Box::new(echo));
        Self {
            echo: Some(echo),
            ..Self::new(config, hub, faces)
        }
    }

    /// Says whether sessions live in this process, as they do until it is said that they
    /// do not; then those that are here end.
    pub fn set_home(&self, is_home: bool) {
        for engine in std::iter::once(&self.engine).chain(&self.echo) {
            engine.set_home(is_home);
        }
    }

    /// How WebSockets of a path are read; none if the path is not ours.
    pub fn terms(&self, path: &str) -> Option<SocketTerms> {
        self.engine(path).map(Engine::terms)
    }

    /// Serves a socket that asked for an upgrade, if the path is ours.
    ///
    /// # Errors
    /// Both back, if the path is not ours.
    pub async fn accept(
        &self,
        source: StreamSource,
        upgrade: UpgradeRequest,
        max_connections: Option<usize>,
    ) -> Result<(), (StreamSource, UpgradeRequest)> {
        match self.engine(&upgrade.path) {
            Some(engine) => {
                engine.accept(source, upgrade, max_connections).await;
                Ok(())
            }
            None => Err((source, upgrade)),
        }
    }

    /// Serves a WebSocket that another server carries.
    ///
    /// # Errors
    /// Why the handshake must be refused.
    pub async fn open_bridge(
        &self,
        path: &str,
        request: EngineRequest,
        output: Arc<BridgeOutput>,
    ) -> Result<BridgeInput, EngineError> {
        match self.engine(path) {
            Some(engine) => engine.open_bridge(request, output).await,
            None => Err(EngineError::BadRequest),
        }
    }

    /// Answers a plain request; `body` is what came with it. Resolves when there is
    /// something to say, at the latest with the next ping.
    pub async fn request(
        &self,
        path: &str,
        method: &str,
        request: EngineRequest,
        body: &[u8],
    ) -> HttpAnswer {
        let Some(engine) = self.engine(path) else {
            return EngineError::BadRequest.into();
        };
        match method {
            "GET" => engine.get(request).await,
            "POST" => engine.post(&request, body).await,
            _ => engine.other_method(&request),
        }
    }

    /// The client of a request did not wait for its answer.
    pub fn abandon(&self, path: &str, request: &EngineRequest) {
        if let Some(engine) = self.engine(path) {
            engine.abandon(request);
        }
    }

    fn engine(&self, path: &str) -> Option<&Engine> {
        match path.strip_suffix('/').unwrap_or(path) {
            PATH => Some(&self.engine),
            CONFORMANCE_PATH => self.echo.as_ref(),
            _ => None,
        }
    }
}

impl std::fmt::Debug for SocketIo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SocketIo").finish_non_exhaustive()
    }
}
