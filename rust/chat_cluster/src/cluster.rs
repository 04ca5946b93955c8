//! The handle of a process to all of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{mpsc, oneshot};

use crate::channel::{Channel, NodeId};
use crate::error::ClusterError;
use crate::link::{Link, connect};

/// What may wait to be sent, in bytes. Beyond it nothing more is taken, and the others
/// are told that they have missed something.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// Where the processes meet.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// `redis://` or `rediss://`.
    pub url: SecretString,
    /// Keeps those apart who share a server: processes of one name belong together.
    pub name: String,
}

/// What a process hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection stands, for the first time or again. Until now nothing of the
    /// others has arrived here, and nothing from here has reached them.
    Connected,
    /// Another process is there: it knows nothing of this one yet.
    NodeCame(NodeId),
    /// Another process has ended, or has not been heard of for some seconds.
    NodeGone(NodeId),
    /// What another process has sent.
    Message {
        from: NodeId,
        channel: Channel,
        payload: Bytes,
    },
}

pub(crate) enum Command {
    Send(Channel, Bytes),
    Subscribe(i64),
    Unsubscribe(i64),
    Leave(oneshot::Sender<()>),
}

/// What the handle and the link share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) waiting_bytes: AtomicUsize,
    pub(crate) is_connected: AtomicBool,
    /// Something that was to be sent was not.
    pub(crate) has_overflowed: AtomicBool,
}

/// A cheap handle. Everything returns at once; what is sent arrives in that order.
#[derive(Clone)]
pub struct Cluster {
    node: NodeId,
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
}

impl Cluster {
    /// Connects, and hears from now on what is sent to all and to this process.
    ///
    /// # Errors
    /// `InvalidUrl`; `Unreachable` if the server does not answer now. Later it may go
    /// and come back.
    pub async fn join(
        config: ClusterConfig,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Event>), ClusterError> {
        let client = redis::Client::open(config.url.expose_secret())
            .map_err(|error| ClusterError::InvalidUrl(error.to_string()))?;
        let connections = connect(&client)
            .await
            .map_err(|error| ClusterError::Unreachable(error.to_string()))?;
        let node = NodeId::random();
        let (commands, queue) = mpsc::unbounded_channel();
        let (events, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let prefix = format!("izpochat:{}", config.name);
        let link = Link::new(client, prefix, node, queue, events, Arc::clone(&shared));
        tokio::spawn(link.run(connections));
        let cluster = Self {
            node,
            commands,
            shared,
        };
        Ok((cluster, receiver))
    }

    /// This process.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Whether what is sent now is on its way.
    pub fn is_connected(&self) -> bool {
        self.shared.is_connected.load(Ordering::Acquire)
    }

    /// Sends to all other processes that listen to the channel. Without a connection
    /// it is lost.
    pub fn send(&self, channel: Channel, payload: impl Into<Bytes>) {
        if !self.is_connected() {
            return;
        }
        let payload = payload.into();
        let bytes = payload.len();
        let waiting = &self.shared.waiting_bytes;
        if waiting.fetch_add(bytes, Ordering::AcqRel) > MAX_WAITING_BYTES {
            waiting.fetch_sub(bytes, Ordering::AcqRel);
            self.shared.has_overflowed.store(true, Ordering::Release);
            return;
        }
        self.command(Command::Send(channel, payload));
    }

    /// From soon on this process hears what is sent to the numbered channel.
    pub fn subscribe(&self, number: i64) {
        self.command(Command::Subscribe(number));
    }

    /// From soon on this process does not hear the numbered channel any more.
    pub fn unsubscribe(&self, number: i64) {
        self.command(Command::Unsubscribe(number));
    }

    /// Sends what waits, says goodbye to the others, and ends the connection.
    pub async fn leave(&self) {
        let (done, left) = oneshot::channel();
        self.command(Command::Leave(done));
        // An error means that it has ended already.
        let _ = left.await;
    }

    fn command(&self, command: Command) {
        // After the end there is nobody to tell.
        let _ = self.commands.send(command);
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cluster")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
