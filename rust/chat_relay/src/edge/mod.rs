//! The sockets and requests of this process while another one is the home.
//!
//! A lock held for memory only; what is said to the home is said under it, so that it
//! belongs to the epoch it was meant for. What the home says comes from one task, in
//! order.

mod opening;
mod requests;
mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_cluster::{Channel, Cluster, NodeId};
use chat_hub::{ConnectionRef, DisconnectReason, Frames, Hub, NewConnection};
use chat_protocol::EncodedFrame;
use chat_socketio::EngineError;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::edge::opening::Opening;
pub(crate) use crate::edge::opening::{Client, Input};
use crate::edge::requests::Waiting;
use crate::edge::session::{Registered, session};
use crate::endings;
use crate::window::{FROM_CLIENT, TO_EDGE};
use crate::wire::{Envelope, Frame, Group, Said, Socket, ToEdge, ToHome};

/// How long a handshake may wait for the home.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(4);

pub(crate) struct Edge {
    hub: Hub,
    cluster: Cluster,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// None while there is none that is known.
    home: Option<NodeId>,
    epoch: u64,
    /// How much has been said in the epoch, and heard.
    sent: u64,
    heard: u64,
    /// What was taken of what is for clients, and not reported.
    taken: u32,
    last_id: u64,
    connections: HashMap<u64, Relayed>,
    requests: HashMap<u64, Waiting>,
}

/// A socket of this process that the home serves.
enum Relayed {
    /// The home has not said yet whether it does.
    Opening(Box<Opening>),
    Open {
        /// None for the moment before it is attached.
        connection: Option<ConnectionRef>,
        /// What the client may still send, see `window`.
        window: Arc<Semaphore>,
    },
}

impl State {
    fn say(&mut self, cluster: &Cluster, said: ToHome<'_>) {
        if let Some(home) = self.home {
            let envelope = Envelope {
                epoch: self.epoch,
                number: self.sent,
                said: Said::ToHome(said),
            };
            cluster.send(Channel::Node(home), envelope.encode());
            self.sent += 1;
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

impl Edge {
    pub(crate) fn new(hub: Hub, cluster: Cluster) -> Self {
        Self {
            hub,
            cluster,
            state: Mutex::default(),
        }
    }

    /// Who the home is from now on; what the one before has served is over.
    pub(crate) fn set_home(&self, home: Option<NodeId>) {
        self.begin_if(|state| {
            state.home = home;
            true
        });
    }

    /// What was said lately may be lost, here or there.
    pub(crate) fn begin(&self) {
        self.begin_if(|_| true);
    }

    /// The same, if this is the home.
    pub(crate) fn begin_with(&self, node: NodeId) {
        self.begin_if(|state| state.home == Some(node));
    }

    /// Begins an epoch, if `decide` says so; clients come back by themselves.
    fn begin_if(&self, decide: impl FnOnce(&mut State) -> bool) {
        let ended = {
            let mut state = self.lock();
            let before = state.home;
            if !decide(&mut state) {
                return;
            }
            let knows_of_us = state.sent > 0 && state.home == before;
            state.epoch += 1;
            (state.sent, state.heard, state.taken) = (0, 0, 0);
            if knows_of_us {
                state.say(&self.cluster, ToHome::Begin);
            }
            // Whoever waits for an answer finds that there will be none.
            state.requests.clear();
            std::mem::take(&mut state.connections)
        };
        for relayed in ended.into_values() {
            self.end(relayed, DisconnectReason::ServiceRestart);
        }
    }

    fn end(&self, relayed: Relayed, reason: DisconnectReason) {
        match relayed {
            Relayed::Opening(opening) => opening.refuse(EngineError::Unavailable),
            Relayed::Open { connection, window } => {
                window.close();
                // Whoever attaches it just now finds it gone.
                if let Some(connection) = connection {
                    self.hub.close(connection, reason);
                }
            }
        }
    }

    /// Has the home serve a client; resolves when it does.
    ///
    /// # Errors
    /// Why it does not, which a socket of ours has been told already.
    pub(crate) async fn open(&self, socket: Socket<'_>, client: Client) -> Result<(), EngineError> {
        let (answered, answer) = oneshot::channel();
        let opening = Box::new(Opening { client, answered });
        let connection = {
            let mut state = self.lock();
            if state.home.is_none() {
                drop(state);
                opening.refuse(EngineError::Unavailable);
                return Err(EngineError::Unavailable);
            }
            let connection = state.next_id();
            let opening = Relayed::Opening(opening);
            state.connections.insert(connection, opening);
            state.say(&self.cluster, ToHome::Open { connection, socket });
            connection
        };
        let Ok(answer) = timeout(HANDSHAKE_PATIENCE, answer).await else {
            self.give_up(connection);
            return Err(EngineError::Unavailable);
        };
        answer.unwrap_or(Err(EngineError::Unavailable))
    }

    /// The home has not answered; if it does now after all, it counts.
    fn give_up(&self, connection: u64) {
        let mut state = self.lock();
        if matches!(
            state.connections.get(&connection),
            Some(Relayed::Opening(_))
        ) && let Some(relayed) = state.connections.remove(&connection)
        {
            state.say(&self.cluster, ToHome::Closed { connection });
            drop(state);
            self.end(relayed, DisconnectReason::ConnectionLost);
        }
    }

    /// Passes on what the client of a connection has sent.
    fn pass_on(&self, connection: u64, frame: Frame<'_>) {
        let mut state = self.lock();
        if state.connections.contains_key(&connection) {
            state.say(&self.cluster, ToHome::Frame { connection, frame });
        }
    }

    /// A connection has ended here.
    fn closed(&self, connection: u64) {
        let mut state = self.lock();
        if state.connections.remove(&connection).is_some() {
            state.say(&self.cluster, ToHome::Closed { connection });
        }
    }

    /// Does what the home says.
    pub(crate) fn receive(self: &Arc<Self>, from: NodeId, epoch: u64, number: u64, said: ToEdge) {
        {
            let mut state = self.lock();
            if state.home != Some(from) || state.epoch != epoch {
                return;
            }
            let is_whole = said != ToEdge::Lost && number == state.heard;
            state.heard += 1;
            if !is_whole {
                drop(state);
                tracing::debug!(home = %from, "what was relayed has been lost");
                return self.begin_with(from);
            }
        }
        match said {
            ToEdge::Lost => {}
            ToEdge::Opened { connection } => self.opened(connection),
            ToEdge::Refused { connection, error } => {
                if let Some(Relayed::Opening(opening)) = self.remove(connection) {
                    opening.refuse(error);
                }
            }
            ToEdge::Deliver { frames, groups } => {
                let frames: Vec<_> = frames.iter().map(Frame::encoded).collect();
                self.deliver(&frames, &groups);
            }
            ToEdge::Ended { connection, close } => {
                if let Some(relayed) = self.remove(connection) {
                    self.end(relayed, endings::reason(close));
                }
            }
            ToEdge::Taken { connection, cost } => {
                if let Some(Relayed::Open { window, .. }) = self.lock().connections.get(&connection)
                {
                    FROM_CLIENT.report(window, cost);
                }
            }
            ToEdge::EngineAnswer { request, answer } => self.answered(request, |waiting| {
                if let Waiting::Engine(waiting) = waiting {
                    let _ = waiting.send(answer.into());
                }
            }),
            ToEdge::CompatAnswer { request, answer } => self.answered(request, |waiting| {
                if let Waiting::Compat(waiting) = waiting {
                    let _ = waiting.send(answer.into());
                }
            }),
        }
    }

    /// Attaches a connection that the home serves from now on.
    fn opened(self: &Arc<Self>, id: u64) {
        let window = Arc::new(FROM_CLIENT.open());
        let Opening { client, answered } = {
            let mut state = self.lock();
            let Some(slot @ Relayed::Opening(_)) = state.connections.get_mut(&id) else {
                return;
            };
            let open = Relayed::Open {
                connection: None,
                window: Arc::clone(&window),
            };
            let Relayed::Opening(opening) = std::mem::replace(slot, open) else {
                return;
            };
            *opening
        };
        let registered = Registered::new(Arc::clone(self), id);
        let new = NewConnection {
            link: client.link,
            heartbeat: client.terms.heartbeat,
            session: session(registered, client.input, client.terms, window),
        };
        // Not under the lock: what ends at once takes it.
        let attached = self
            .hub
            .attach(new, None, Vec::new(), client.max_connections);
        let Ok(attached) = attached else {
            let _ = answered.send(Err(EngineError::Unavailable));
            return;
        };
        if let Some(Relayed::Open { connection, .. }) = self.lock().connections.get_mut(&id) {
            *connection = Some(attached);
        } else {
            self.hub.close(attached, DisconnectReason::ServiceRestart);
        }
        let _ = answered.send(Ok(()));
    }

    fn deliver(&self, frames: &[EncodedFrame], groups: &[Group]) {
        let mut state = self.lock();
        state.taken += TO_EDGE.cost(frames.iter().map(|frame| frame.wire_bytes().len()).sum());
        if TO_EDGE.is_to_be_reported(state.taken) {
            let cost = std::mem::take(&mut state.taken);
            state.say(&self.cluster, ToHome::Taken { cost });
        }
        for group in groups {
            let indexes = group.frames.iter();
            let frames: Vec<_> = indexes
                .filter_map(|index| frames.get(*index as usize).cloned())
                .collect();
            let frames = Frames::from(frames);
            for connection in &group.connections {
                if let Some(Relayed::Open {
                    connection: Some(connection),
                    ..
                }) = state.connections.get(connection)
                {
                    self.hub.send(*connection, frames.clone());
                }
            }
        }
    }

    fn remove(&self, connection: u64) -> Option<Relayed> {
        self.lock().connections.remove(&connection)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
