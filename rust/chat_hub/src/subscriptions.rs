//! What the hub offers to systems that subscribe connections to topics; see `topic`
//! for what is promised about order.

use std::sync::Arc;

use chat_protocol::EncodedFrame;
use tokio::sync::oneshot;

use crate::connection::ConnectionRef;
use crate::disconnect::DisconnectReason;
use crate::hub::{Hub, HubError, in_flight_kibibytes};
use crate::shard::{Command, NewConnection};
use crate::topic::{Frames, Publication, Topic, TopicCommand};

impl Hub {
    /// Attaches a connection that subscribes to topics. It gets `greeting` first, in
    /// one write with the handshake's answer.
    ///
    /// `ping` is the frame its heartbeat sends; none for a ping of the WebSocket
    /// protocol. The session says when the answer is in (`Connection::pong_received`).
    ///
    /// # Errors
    /// `ShuttingDown`; `TooManyConnections` if `max_connections` are open.
    pub fn attach(
        &self,
        connection: NewConnection,
        ping: Option<EncodedFrame>,
        greeting: Vec<EncodedFrame>,
        max_connections: Option<usize>,
    ) -> Result<ConnectionRef, HubError> {
        self.state
            .registry
            .attach(connection, ping, greeting, max_connections)
    }

    /// From here on the connection gets what is published to the topic. A second
    /// subscription to the same changes nothing.
    pub fn subscribe(&self, reader: ConnectionRef, topic: &Topic) {
        let registry = &self.state.registry;
        let shards = registry.shard_count();
        let command = TopicCommand::Subscribe(reader.id, topic.clone());
        registry
            .topics()
            .add_reader(topic, reader.shard, shards, || {
                registry.send(reader.shard, Command::Topic(command));
            });
    }

    /// From here on the connection gets nothing more of the topic.
    pub fn unsubscribe(&self, reader: ConnectionRef, topic: &Topic) {
        let command = TopicCommand::Unsubscribe(reader.id, topic.clone());
        self.state
            .registry
            .send(reader.shard, Command::Topic(command));
    }

    /// Whether somebody may be there to read the topic; without, there is nothing to encode.
    pub fn has_readers(&self, topic: &Topic) -> bool {
        self.state.registry.topics().has_readers(topic)
    }

    /// Sends frames to every reader of a topic but `except`. They are not compressed.
    pub fn publish_to(&self, topic: &Topic, frames: impl Into<Frames>, except: &[ConnectionRef]) {
        let frames = frames.into();
        let kibibytes = in_flight_kibibytes(frames.len_bytes());
        let publication = Arc::new(Publication {
            topic: topic.clone(),
            frames,
            except: except.iter().map(|reader| reader.id).collect(),
            // Beyond the bound it goes out all the same; `relieved` keeps away what would follow.
            _permit: Arc::clone(&self.state.in_flight)
                .try_acquire_many_owned(kibibytes)
                .ok(),
        });
        let registry = &self.state.registry;
        registry.topics().for_each_shard(topic, |shard| {
            let command = TopicCommand::Publish(Arc::clone(&publication));
            registry.send(shard, Command::Topic(command));
        });
    }

    /// Sends frames to one connection.
    pub fn send(&self, to: ConnectionRef, frames: impl Into<Frames>) {
        let command = TopicCommand::Send(to.id, frames.into());
        self.state.registry.send(to.shard, Command::Topic(command));
    }

    /// Ends a connection, behind what was sent to it before.
    pub fn close(&self, connection: ConnectionRef, reason: DisconnectReason) {
        let command = Command::Close(connection.id, reason);
        self.state.registry.send(connection.shard, command);
    }

    /// Waits until what was published to topics before has been written to the sockets
    /// that take it. What goes through another server has been handed to that.
    pub async fn written(&self) {
        let registry = &self.state.registry;
        let shards = (0..registry.shard_count()).map(|shard| {
            let (done, written) = oneshot::channel();
            registry.send(shard, Command::WriteGathered(done));
            written
        });
        let shards: Vec<_> = shards.collect();
        for written in shards {
            // An error means that the shard has ended.
            let _ = written.await;
        }
    }

    /// Waits while too much is on its way to readers. Whoever publishes what clients
    /// send waits here before it takes up the next thing from them.
    pub async fn relieved(&self) {
        // The semaphore is never closed.
        drop(self.state.in_flight.acquire().await);
    }
}
