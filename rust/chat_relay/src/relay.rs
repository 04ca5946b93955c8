//! The entrance to the sibling systems, wherever they are served.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use chat_cluster::{Cluster, NodeId};
use chat_compat::{Compat, Request, Response};
use chat_gateway::{BridgeInput, UNAVAILABLE, UpgradeRequest};
use chat_hub::{BridgeOutput, Hub, Link, StreamSource};
use chat_socketio::{EngineError, EngineRequest, HttpAnswer, SocketIo};

use crate::edge::{Client, Edge, Input};
use crate::host::{Host, Systems};
use crate::wire::{EngineAsked, Envelope, Said, Socket};

/// The process in whose memory the sibling systems live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    This,
    Other(NodeId),
    /// There is none, or nobody has said which.
    Unknown,
}

/// What the clients of the sibling systems come to. A cheap handle.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Hub,
    systems: Systems,
    /// None: this process is the only one.
    others: Option<Others>,
}

struct Others {
    home: RwLock<Home>,
    edge: Arc<Edge>,
    host: Host,
}

impl Relay {
    /// Without a cluster this process is always the home; with one it is not until that
    /// is said.
    pub fn new(
        compat: Arc<Compat>,
        socket_io: SocketIo,
        hub: Hub,
        cluster: Option<Cluster>,
    ) -> Self {
        let systems = Systems { compat, socket_io };
        systems.set_home(cluster.is_none());
        let others = cluster.map(|cluster| Others {
            home: RwLock::new(Home::Unknown),
            edge: Arc::new(Edge::new(hub.clone(), cluster.clone())),
            host: Host::new(cluster, systems.clone()),
        });
        let shared = Arc::new(Shared {
            hub,
            systems,
            others,
        });
        Self { shared }
    }

    /// Says where the home is from now on. A change ends every relayed socket with 1012,
    /// and every socket of a process that is not the home any more: clients come back by
    /// themselves.
    pub fn set_home(&self, home: Home) {
        let Some(others) = &self.shared.others else {
            return;
        };
        {
            // Nothing that can panic runs under the lock.
            let current = others.home.write();
            let mut current = current.unwrap_or_else(PoisonError::into_inner);
            if *current == home {
                return;
            }
            *current = home;
        }
        self.shared.systems.set_home(home == Home::This);
        others.edge.set_home(match home {
            Home::Other(node) => Some(node),
            Home::This | Home::Unknown => None,
        });
        if home != Home::This {
            others.host.end_all();
        }
    }

    /// The link to the others was made anew: what was relayed before may have been lost,
    /// and ends.
    pub fn on_connected(&self) {
        if let Some(others) = &self.shared.others {
            others.edge.begin();
            others.host.end_all();
        }
    }

    /// A process is gone, or was not heard of for a while.
    pub fn on_node_gone(&self, node: NodeId) {
        if let Some(others) = &self.shared.others {
            others.edge.begin_with(node);
            others.host.end_edge(node);
        }
    }

    /// What another process has sent to this one. To be called in the order of arrival,
    /// on a thread of the runtime.
    pub fn on_message(&self, from: NodeId, payload: &Bytes) {
        let Some(others) = &self.shared.others else {
            return;
        };
        match Envelope::decode(payload) {
            Ok(Envelope {
                epoch,
                number,
                said,
            }) => match said {
                Said::ToHome(said) => {
                    let is_home = others.home() == Home::This;
                    others.host.receive(from, epoch, number, said, is_home);
                }
                Said::ToEdge(said) => others.edge.receive(from, epoch, number, said),
            },
            Err(error) => {
                tracing::debug!(%from, %error, "a message of another process was not understood");
            }
        }
    }

    /// Takes over a socket if its path is a sibling's, and gives it back otherwise.
    pub async fn accept(
        &self,
        source: StreamSource,
        mut request: UpgradeRequest,
        max_connections: Option<usize>,
    ) -> Option<(StreamSource, UpgradeRequest)> {
        let Systems { compat, socket_io } = &self.shared.systems;
        let Some(edge) = self.edge() else {
            return match socket_io.accept(source, request, max_connections).await {
                Ok(()) => None,
                Err((source, request)) => compat.accept(source, request, max_connections),
            };
        };
        let path = std::mem::take(&mut request.path);
        let asked = EngineRequest {
            query: std::mem::take(&mut request.query),
            authorization: request.authorization.take(),
        };
        let (terms, socket) = if let Some(terms) = socket_io.terms(&path) {
            let asked = EngineAsked::new(&path, "", &asked);
            (terms, Socket::SocketIo(asked))
        } else if let Some(terms) = compat.terms(&path) {
            (terms, Socket::WsHub { path: &path })
        } else {
            request.path = path;
            request.query = asked.query;
            request.authorization = asked.authorization;
            return Some((source, request));
        };
        if !self.shared.hub.has_room_for(max_connections) {
            source.answer_and_close(UNAVAILABLE);
            return None;
        }
        let input = terms.input(std::mem::take(&mut request.leftover));
        let client = Client {
            link: Link::Socket {
                source,
                preamble: Bytes::from(request.switching_protocols(None)),
                deflate: false,
            },
            input: Input::Socket(Box::new(input)),
            terms,
            max_connections,
        };
        if let Err(error) = edge.open(socket, client).await {
            tracing::debug!(%error, "the home does not serve a socket");
        }
        None
    }

    /// Serves a WebSocket of Socket.IO that another server carries.
    ///
    /// # Errors
    /// Why the handshake must be refused.
    pub async fn open_bridge(
        &self,
        path: &str,
        request: EngineRequest,
        output: Arc<BridgeOutput>,
    ) -> Result<BridgeInput, EngineError> {
        let socket_io = &self.shared.systems.socket_io;
        let Some(edge) = self.edge() else {
            return socket_io.open_bridge(path, request, output).await;
        };
        let terms = socket_io.terms(path).ok_or(EngineError::BadRequest)?;
        let (input, frames) = BridgeInput::channel();
        let client = Client {
            link: Link::Bridge(output),
            input: Input::Bridge(frames),
            terms,
            max_connections: None,
        };
        let asked = EngineAsked::new(path, "", &request);
        edge.open(Socket::SocketIo(asked), client).await?;
        Ok(input)
    }

    /// Answers a request to Socket.IO, see [`SocketIo::request`].
    pub async fn request(
        &self,
        path: &str,
        method: &str,
        request: EngineRequest,
        body: &[u8],
    ) -> HttpAnswer {
        let Some(edge) = self.edge() else {
            let socket_io = &self.shared.systems.socket_io;
            return socket_io.request(path, method, request, body).await;
        };
        let answer = edge.ask_engine(path, method, &request, body).await;
        answer.unwrap_or_else(|| EngineError::Unavailable.into())
    }

    /// The client of a request did not wait for its answer.
    pub fn abandon(&self, path: &str, request: &EngineRequest) {
        match self.edge() {
            None => self.shared.systems.socket_io.abandon(path, request),
            Some(edge) => edge.abandon(path, request),
        }
    }

    /// Answers a request to a sibling system.
    pub async fn answer_compat(&self, request: Request) -> Response {
        let compat = &self.shared.systems.compat;
        let edge = self.edge().filter(|_| compat.needs_home(request.head()));
        let Some(edge) = edge else {
            return compat.handle(request).await;
        };
        let answer = edge.ask_compat(&request).await;
        answer.unwrap_or_else(|| compat.unavailable(request.head()))
    }

    /// Serves the socket of a sibling system that another server carries; none if it
    /// must be refused.
    pub async fn open_compat_bridge(
        &self,
        path: &str,
        output: Arc<BridgeOutput>,
    ) -> Option<BridgeInput> {
        let compat = &self.shared.systems.compat;
        let Some(edge) = self.edge() else {
            return compat.open_bridge(path, output);
        };
        let mut terms = compat.terms(path)?;
        // The other server's matter.
        terms.heartbeat = None;
        let (input, frames) = BridgeInput::channel();
        let client = Client {
            link: Link::Bridge(output),
            input: Input::Bridge(frames),
            terms,
            max_connections: None,
        };
        edge.open(Socket::WsHub { path }, client).await.ok()?;
        Some(input)
    }

    /// None if this process is the home.
    fn edge(&self) -> Option<&Arc<Edge>> {
        let others = self.shared.others.as_ref()?;
        (others.home() != Home::This).then_some(&others.edge)
    }
}

impl Others {
    fn home(&self) -> Home {
        *self.home.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.shared.others.as_ref();
        formatter
            .debug_struct("Relay")
            .field("home", &others.map_or(Home::This, Others::home))
            .finish_non_exhaustive()
    }
}
