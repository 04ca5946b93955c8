//! Topics: what the sibling systems subscribe connections to.
//!
//! A connection is in one room or, instead, subscribes to any number of topics,
//! which come and go with their subscriptions. The hub knows nothing about a topic
//! but its key and who reads it; presence belongs to those who make the topics.
//!
//! Order: a publication is lined up for all shards under its topic's entry, and a
//! shard takes up publications, subscriptions and answers in the order they were
//! lined up for it. So all readers of a topic see its publications in one order; a
//! subscriber sees everything behind its subscription and nothing before; and what
//! one thread sends to a connection one after the other arrives so, whatever the
//! topics.

use std::sync::Arc;

use chat_protocol::EncodedFrame;
use smallvec::SmallVec;
use tokio::sync::OwnedSemaphorePermit;

use crate::connection::ConnectionId;
use crate::sync::{DashMap, Entry};

/// The key of a topic: bytes that only its maker understands. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic(Arc<[u8]>);

impl Topic {
    /// Makers that share a hub keep apart by a prefix of their own.
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        Self(key.as_ref().into())
    }
}

/// Frames that reach a reader one right behind the other; mostly a single one.
#[derive(Clone, Debug, Default)]
pub struct Frames(pub(crate) SmallVec<[EncodedFrame; 1]>);

impl From<EncodedFrame> for Frames {
    fn from(frame: EncodedFrame) -> Self {
        Self(SmallVec::from_buf([frame]))
    }
}

impl From<Vec<EncodedFrame>> for Frames {
    fn from(frames: Vec<EncodedFrame>) -> Self {
        Self(frames.into())
    }
}

impl Frames {
    /// The frames in order.
    pub fn iter(&self) -> impl Iterator<Item = &EncodedFrame> {
        self.0.iter()
    }

    pub(crate) fn len_bytes(&self) -> usize {
        self.0.iter().map(|frame| frame.wire_bytes().len()).sum()
    }
}

/// Frames on their way to the readers of a topic.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) topic: Topic,
    pub(crate) frames: Frames,
    pub(crate) except: SmallVec<[ConnectionId; 1]>,
    /// Given back when the last shard has dealt with it.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

/// What the hub asks of a shard about topics; taken up in order.
#[derive(Debug)]
pub(crate) enum TopicCommand {
    Subscribe(ConnectionId, Topic),
    Unsubscribe(ConnectionId, Topic),
    Publish(Arc<Publication>),
    Send(ConnectionId, Frames),
}

/// How many readers each topic has on each shard: those that will be there once the
/// shard has taken up what is lined up for it, and maybe some that are leaving.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    readers_per_shard: DashMap<Topic, Box<[u32]>>,
}

impl Topics {
    /// Counts a reader in and lines up what `send` sends, under the topic's entry.
    pub(crate) fn add_reader(
        &self,
        topic: &Topic,
        shard: usize,
        shards: usize,
        send: impl FnOnce(),
    ) {
        let mut readers = self
            .readers_per_shard
            .entry(topic.clone())
            .or_insert_with(|| vec![0; shards].into_boxed_slice());
        readers[shard] += 1;
        send();
    }

    pub(crate) fn remove_reader(&self, topic: &Topic, shard: usize) {
        if let Entry::Occupied(mut entry) = self.readers_per_shard.entry(topic.clone()) {
            let readers = &mut entry.get_mut()[shard];
            *readers = readers.saturating_sub(1);
            if entry.get().iter().all(|readers| *readers == 0) {
                entry.remove();
            }
        }
    }

    pub(crate) fn has_readers(&self, topic: &Topic) -> bool {
        self.readers_per_shard.contains_key(topic)
    }

    /// Calls `send` for every shard with readers, under the topic's entry.
    pub(crate) fn for_each_shard(&self, topic: &Topic, send: impl FnMut(usize)) {
        // For writing: two publications at once would reach two shards in two orders.
        if let Some(readers) = self.readers_per_shard.get_mut(topic) {
            let shards = readers.iter().enumerate();
            shards
                .filter(|(_, readers)| **readers > 0)
                .map(|(shard, _)| shard)
                .for_each(send);
        }
    }
}
