//! What this process serves, as the home, for the edges.

mod delivery;
mod guests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_cluster::{Channel, Cluster, NodeId};
use chat_compat::Compat;
use chat_gateway::BridgeInput;
use chat_hub::BridgeOutput;
use chat_socketio::{EngineError, EngineRequest, SocketIo};

use crate::host::guests::Guests;
use crate::wire::{Envelope, Said, Socket, ToEdge, ToHome};

/// What serves clients, whether they are here or elsewhere.
#[derive(Clone)]
pub(crate) struct Systems {
    pub(crate) compat: Arc<Compat>,
    pub(crate) socket_io: SocketIo,
}

/// What the client of an edge asked to speak; see [`Socket`].
pub(crate) enum Wanted {
    SocketIo {
        path: String,
        request: EngineRequest,
    },
    WsHub {
        path: String,
    },
}

impl From<Socket<'_>> for Wanted {
    fn from(socket: Socket<'_>) -> Self {
        match socket {
            Socket::SocketIo(asked) => Self::SocketIo {
                path: asked.path.to_owned(),
                request: asked.request(),
            },
            Socket::WsHub { path } => Self::WsHub {
                path: path.to_owned(),
            },
        }
    }
}

impl Systems {
    pub(crate) fn set_home(&self, is_home: bool) {
        self.compat.set_home(is_home);
        self.socket_io.set_home(is_home);
    }

    /// Serves a client whose frames somebody else carries.
    ///
    /// # Errors
    /// Why the handshake must be refused.
    pub(crate) async fn open(
        &self,
        wanted: Wanted,
        output: Arc<BridgeOutput>,
    ) -> Result<BridgeInput, EngineError> {
        match wanted {
            Wanted::SocketIo { path, request } => {
                self.socket_io.open_bridge(&path, request, output).await
            }
            Wanted::WsHub { path } => self
                .compat
                .open_bridge(&path, output)
                .ok_or(EngineError::Unavailable),
        }
    }
}

pub(crate) struct Host {
    cluster: Cluster,
    systems: Systems,
    visits: Mutex<HashMap<NodeId, Visit>>,
}

/// The epoch of an edge that is under way, or was the last one.
struct Visit {
    epoch: u64,
    heard: u64,
    /// None once something was lost.
    guests: Option<Arc<Guests>>,
}

impl Visit {
    fn end(&mut self) -> bool {
        let guests = self.guests.take();
        guests.inspect(|guests| guests.end()).is_some()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.end();
    }
}

impl Host {
    pub(crate) fn new(cluster: Cluster, systems: Systems) -> Self {
        Self {
            cluster,
            systems,
            visits: Mutex::default(),
        }
    }

    /// Does what an edge says; nothing of it unless this process is the home.
    pub(crate) fn receive(
        &self,
        from: NodeId,
        epoch: u64,
        number: u64,
        said: ToHome<'_>,
        is_home: bool,
    ) {
        let guests = {
            let mut visits = self.lock();
            let visit = match visits.entry(from) {
                Entry::Occupied(entry) if entry.get().epoch > epoch => return,
                Entry::Occupied(entry) if entry.get().epoch == epoch => entry.into_mut(),
                entry => entry
                    .insert_entry(Visit {
                        epoch,
                        heard: 0,
                        guests: Some(Guests::new(from, epoch, self.cluster.clone())),
                    })
                    .into_mut(),
            };
            let is_whole = is_home && visit.heard == number;
            visit.heard += 1;
            if !is_whole {
                if visit.end() {
                    self.tell_lost(from, epoch);
                }
                return;
            }
            match &visit.guests {
                Some(guests) => Arc::clone(guests),
                None => return,
            }
        };
        guests.receive(said, &self.systems);
    }

    /// Something may have been lost: everything that is under way is over.
    pub(crate) fn end_all(&self) {
        let mut visits = self.lock();
        for (edge, visit) in &mut *visits {
            visit.end();
            self.tell_lost(*edge, visit.epoch);
        }
    }

    /// The edge is gone, or was taken for gone.
    pub(crate) fn end_edge(&self, edge: NodeId) {
        if let Some(visit) = self.lock().remove(&edge) {
            self.tell_lost(edge, visit.epoch);
        }
    }

    fn tell_lost(&self, edge: NodeId, epoch: u64) {
        let envelope = Envelope {
            epoch,
            number: 0,
            said: Said::ToEdge(ToEdge::Lost),
        };
        self.cluster.send(Channel::Node(edge), envelope.encode());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Visit>> {
        // No code that can panic runs under the lock.
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
