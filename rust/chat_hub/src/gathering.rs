//! How publications to topics become writes.
//!
//! A write costs about the same for one frame as for many. A shard therefore takes
//! up everything that is lined up for it before it writes: what goes to the readers
//! of one topic in a row is put together into one buffer for all of them, and each
//! connection that got anything is written to once.
//!
//! Everything here lives on the shard's thread.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use chat_protocol::EncodedFrame;

use crate::connection::{Connection, ConnectionId, LocalLink};
use crate::disconnect::DisconnectReason;
use crate::shard::ShardState;
use crate::topic::{Frames, Publication, Topic, TopicCommand};

/// A row longer than this is ended, so that the bound of an outbox keeps its meaning.
const ROW_MAX_BYTES: usize = 64 * 1024;

/// The topics of a shard and what is on its way to their readers.
#[derive(Default)]
pub(crate) struct Gathering {
    readers: RefCell<HashMap<Topic, Vec<Rc<Connection>>>>,
    row: RefCell<Row>,
    /// Connections to be written to.
    pub(crate) queued: RefCell<VecDeque<Rc<Connection>>>,
}

/// What is published in a row to one topic, and sent to single connections meanwhile.
#[derive(Default)]
struct Row {
    topic: Option<Topic>,
    items: Vec<Item>,
    bytes: usize,
}

enum Item {
    Publication(Arc<Publication>),
    Only(ConnectionId, Frames),
}

impl Item {
    fn frames(&self) -> &[EncodedFrame] {
        match self {
            Self::Publication(publication) => &publication.frames.0,
            Self::Only(_, frames) => &frames.0,
        }
    }

    fn is_for(&self, reader: ConnectionId, reads_topic: bool) -> bool {
        match self {
            Self::Publication(publication) => reads_topic && !publication.except.contains(&reader),
            Self::Only(target, _) => *target == reader,
        }
    }
}

impl Row {
    fn push(&mut self, item: Item, bytes: usize) {
        self.items.push(item);
        self.bytes += bytes;
    }

    /// The connections that do not get just what everybody gets, in order of their ids.
    fn special(&self) -> Vec<ConnectionId> {
        let mut special = Vec::new();
        for item in &self.items {
            match item {
                Item::Publication(publication) => special.extend_from_slice(&publication.except),
                Item::Only(target, _) => special.push(*target),
            }
        }
        special.sort_unstable();
        special.dedup();
        special
    }

    fn common(&self) -> impl Iterator<Item = &EncodedFrame> {
        let publications = self.items.iter();
        publications
            .filter(|item| matches!(item, Item::Publication(_)))
            .flat_map(Item::frames)
    }

    fn own(&self, reader: ConnectionId, reads_topic: bool) -> impl Iterator<Item = &EncodedFrame> {
        let items = self.items.iter();
        items
            .filter(move |item| item.is_for(reader, reads_topic))
            .flat_map(Item::frames)
    }
}

impl ShardState {
    /// Takes up what the hub asks about topics.
    pub(crate) fn take_up(&self, command: TopicCommand) {
        let gathering = self.gathering();
        match command {
            TopicCommand::Publish(publication) => {
                let topic = gathering.row.borrow().topic.clone();
                if topic.is_some_and(|topic| topic != publication.topic) {
                    self.end_row();
                }
                let mut row = gathering.row.borrow_mut();
                row.topic.get_or_insert_with(|| publication.topic.clone());
                let bytes = publication.frames.len_bytes();
                row.push(Item::Publication(publication), bytes);
            }
            TopicCommand::Send(to, frames) => {
                let bytes = frames.len_bytes();
                gathering
                    .row
                    .borrow_mut()
                    .push(Item::Only(to, frames), bytes);
            }
            TopicCommand::Subscribe(reader, topic) => {
                self.end_row();
                self.subscribe(reader, topic);
            }
            TopicCommand::Unsubscribe(reader, topic) => {
                self.end_row();
                if let Some(reader) = self.find(reader) {
                    self.unsubscribe(&reader, &topic);
                }
            }
        }
        if gathering.row.borrow().bytes > ROW_MAX_BYTES {
            self.end_row();
        }
    }

    fn subscribe(&self, reader: ConnectionId, topic: Topic) {
        let reader = self.find(reader).filter(|reader| reader.is_open());
        let mut topics = self.gathering().readers.borrow_mut();
        if let Some(reader) = reader
            && let Some(seat) = reader.topics_seat()
            && !seat.subscriptions.borrow().contains_key(&topic)
        {
            let readers = topics.entry(topic.clone()).or_default();
            seat.subscriptions.borrow_mut().insert(topic, readers.len());
            readers.push(Rc::clone(&reader));
        } else {
            // It was counted in, but it is no new reader.
            self.registry().topics().remove_reader(&topic, self.index());
        }
    }

    fn unsubscribe(&self, reader: &Connection, topic: &Topic) {
        let index = reader
            .topics_seat()
            .and_then(|seat| seat.subscriptions.borrow_mut().remove(topic));
        if let Some(index) = index {
            self.remove_reader(topic, index);
        }
    }

    /// Ends all subscriptions of a connection.
    pub(crate) fn leave_topics(&self, reader: &Connection) {
        let Some(seat) = reader.topics_seat() else {
            return;
        };
        for (topic, index) in seat.subscriptions.take() {
            self.remove_reader(&topic, index);
        }
    }

    fn remove_reader(&self, topic: &Topic, index: usize) {
        let mut topics = self.gathering().readers.borrow_mut();
        if let Some(readers) = topics.get_mut(topic) {
            readers.swap_remove(index);
            if let Some(seat) = readers.get(index).and_then(|moved| moved.topics_seat())
                && let Some(moved_index) = seat.subscriptions.borrow_mut().get_mut(topic)
            {
                *moved_index = index;
            }
            if readers.is_empty() {
                topics.remove(topic);
            }
        }
        self.registry().topics().remove_reader(topic, self.index());
    }

    /// Gives everybody what the row has for them.
    pub(crate) fn end_row(&self) {
        let row = self.gathering().row.take();
        if row.items.is_empty() {
            return;
        }
        let special = row.special();
        let topics = self.gathering().readers.borrow();
        let readers: &[Rc<Connection>] = row
            .topic
            .as_ref()
            .and_then(|topic| topics.get(topic))
            .map_or(&[], |readers| readers);
        let mut lost = Vec::new();
        let mut common = None;
        for reader in readers {
            if special.binary_search(&reader.id()).is_ok() {
                continue;
            }
            let given = match reader.link() {
                LocalLink::Socket { .. } => {
                    let wire = common.get_or_insert_with(|| joined(row.common()));
                    reader.queue(wire.clone())
                }
                LocalLink::Bridge(_) => reader.push(row.common()),
            };
            if let Err(reason) = given {
                lost.push((Rc::clone(reader), reason));
            }
        }
        for id in special {
            let Some(reader) = self.find(id).filter(|reader| reader.is_open()) else {
                continue;
            };
            let reads_topic = row.topic.as_ref().is_some_and(|topic| {
                let seat = reader.topics_seat();
                seat.is_some_and(|seat| seat.subscriptions.borrow().contains_key(topic))
            });
            let own = row.own(id, reads_topic);
            let given = match reader.link() {
                LocalLink::Socket { .. } => reader.queue(joined(own)),
                LocalLink::Bridge(_) => reader.push(own),
            };
            if let Err(reason) = given {
                lost.push((reader, reason));
            }
        }
        drop(topics);
        for (reader, reason) in lost {
            reader.disconnect(reason);
        }
    }

    /// Whether nothing waits to be written.
    pub(crate) fn has_written_queued(&self) -> bool {
        self.gathering().queued.borrow().is_empty()
    }

    /// Writes to as many of those that got something.
    pub(crate) fn write_queued(&self, connections: usize) {
        self.end_row();
        for _ in 0..connections {
            let Some(connection) = self.gathering().queued.borrow_mut().pop_front() else {
                return;
            };
            if connection.write_queued().is_err() {
                connection.disconnect(DisconnectReason::ConnectionLost);
            }
        }
    }
}

/// One frame right behind the other.
fn joined<'a>(mut frames: impl Iterator<Item = &'a EncodedFrame>) -> Bytes {
    let Some(first) = frames.next() else {
        return Bytes::new();
    };
    let Some(second) = frames.next() else {
        return first.wire_bytes().clone();
    };
    let mut buffer = BytesMut::with_capacity(ROW_MAX_BYTES / 4);
    for frame in [first, second].into_iter().chain(frames) {
        buffer.extend_from_slice(frame.wire_bytes());
    }
    buffer.freeze()
}

impl std::fmt::Debug for Gathering {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gathering").finish_non_exhaustive()
    }
}
