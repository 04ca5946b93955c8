//! A shard: one thread, its connections, and the loop that serves them.
//!
//! The loop takes many commands at a time. Publications to one room are gathered
//! and written to each reader with one system call; any command about a single
//! connection first flushes what was gathered, so order is kept. After each batch
//! it yields: sessions read, and the next batch builds up meanwhile.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io::IoSlice;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_protocol::ids::{RoomId, UserId};
use chat_protocol::{EncodedFrame, PING_FRAME};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::bridge::BridgeOutput;
use crate::connection::{Connection, ConnectionId, Delivery, LocalLink};
use crate::disconnect::DisconnectReason;
use crate::heartbeat::{Beat, Heartbeat, HeartbeatWheel, Pulse, TICK};
use crate::hub::{HubState, PublishPermit};
use crate::stream::StreamSource;

/// Runs a session on its shard's thread until the connection has ended.
pub type SessionFactory =
    Box<dyn FnOnce(Rc<Connection>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// Commands taken from the queue at once.
const BATCH: usize = 256;
/// Readers served before other tasks of the thread get a turn.
const READERS_PER_TURN: usize = 10_000;

/// How bytes or frames reach the client.
#[derive(Debug)]
pub enum Link {
    /// A socket of ours; `preamble` (the handshake's answer) goes out first.
    Socket {
        source: StreamSource,
        preamble: Bytes,
    },
    /// Another server's connection.
    Bridge(Arc<BridgeOutput>),
}

/// A connection that is about to be attached.
pub struct NewConnection {
    pub link: Link,
    /// None if another server sends the pings.
    pub heartbeat: Option<Heartbeat>,
    pub session: SessionFactory,
}

pub(crate) struct Attachment {
    pub(crate) id: ConnectionId,
    pub(crate) user_id: UserId,
    pub(crate) room_id: RoomId,
    pub(crate) connection: NewConnection,
    pub(crate) greeting: Vec<EncodedFrame>,
}

#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) room: RoomId,
    pub(crate) delivery: Delivery,
    pub(crate) except: Option<UserId>,
    /// Given back when the last shard has dealt with the publication.
    pub(crate) _permit: Option<PublishPermit>,
}

pub(crate) enum Command {
    Attach(Box<Attachment>),
    Publish(Arc<Publication>),
    Reply {
        to: ConnectionId,
        frame: EncodedFrame,
    },
    Disconnect {
        selector: Selector,
        reason: DisconnectReason,
    },
    Shutdown {
        patience: Duration,
        done: oneshot::Sender<()>,
    },
}

/// Which connections a command is about.
#[derive(Clone, Debug)]
pub(crate) enum Selector {
    Connection(ConnectionId),
    User(UserId),
    UserInRoom(UserId, RoomId),
    RoomExcept(RoomId, Arc<HashSet<UserId>>),
}

impl Selector {
    fn matches(&self, connection: &Connection) -> bool {
        match self {
            Self::Connection(id) => connection.id() == *id,
            Self::User(user) => connection.user_id() == *user,
            Self::UserInRoom(user, room) => {
                connection.user_id() == *user && connection.room_id() == *room
            }
            Self::RoomExcept(room, allowed) => {
                connection.room_id() == *room && !allowed.contains(&connection.user_id())
            }
        }
    }
}

/// What the connections of one thread share.
pub(crate) struct ShardState {
    index: usize,
    hub: Arc<HubState>,
    started: Instant,
    connections: RefCell<HashMap<ConnectionId, Rc<Connection>>>,
    readers: RefCell<HashMap<RoomId, Vec<Rc<Connection>>>>,
    wheel: RefCell<HeartbeatWheel>,
}

impl ShardState {
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn outbox_max_bytes(&self) -> usize {
        self.hub.outbox_max_bytes()
    }

    /// Takes a connection out of its room, here and in the hub.
    pub(crate) fn leave(&self, connection: &Connection) {
        let room_id = connection.room_id();
        let mut rooms = self.readers.borrow_mut();
        if let Some(readers) = rooms.get_mut(&room_id) {
            let index = connection.room_index.get();
            if readers
                .get(index)
                .is_some_and(|reader| reader.id() == connection.id())
            {
                readers.swap_remove(index);
                if let Some(moved) = readers.get(index) {
                    moved.room_index.set(index);
                }
            }
            if readers.is_empty() {
                rooms.remove(&room_id);
            }
        }
        drop(rooms);
        self.hub.leave(room_id, connection.user_id(), self.index);
    }

    pub(crate) fn forget(&self, id: ConnectionId) {
        self.connections.borrow_mut().remove(&id);
    }

    fn tick(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
    }

    fn attach(self: &Rc<Self>, attachment: Attachment) {
        let Attachment {
            id,
            user_id,
            room_id,
            connection: new,
            greeting,
        } = attachment;
        let (link, preamble) = match new.link {
            Link::Bridge(output) => (LocalLink::Bridge(output), None),
            Link::Socket { source, preamble } => match source.register() {
                Ok(stream) => {
                    let link = LocalLink::Socket {
                        stream,
                        outbox: RefCell::default(),
                        draining: false.into(),
                    };
                    (link, Some(preamble))
                }
                Err(error) => {
                    tracing::warn!(%error, "a socket could not be registered");
                    self.hub.leave(room_id, user_id, self.index);
                    return;
                }
            },
        };
        let pulse = new.heartbeat.map(Pulse::new);
        if let Some(pulse) = &pulse {
            self.wheel
                .borrow_mut()
                .schedule(id, pulse.first_due(self.tick()));
        }
        let connection = Rc::new(Connection::new(
            id,
            user_id,
            room_id,
            Rc::clone(self),
            link,
            pulse,
        ));
        self.connections
            .borrow_mut()
            .insert(id, Rc::clone(&connection));
        {
            let mut rooms = self.readers.borrow_mut();
            let readers = rooms.entry(room_id).or_default();
            connection.room_index.set(readers.len());
            readers.push(Rc::clone(&connection));
        }
        let greeting: Vec<Delivery> = greeting
            .into_iter()
            .map(|frame| Delivery {
                frame,
                lossy: false,
            })
            .collect();
        let sent = preamble
            .map_or(Ok(()), |preamble| connection.send_bytes(preamble))
            .and_then(|()| connection.deliver(&greeting, &wire_slices(&greeting)));
        if let Err(reason) = sent {
            connection.disconnect(reason);
        }
        let session = (new.session)(Rc::clone(&connection));
        tokio::task::spawn_local(async move {
            // Also when the session panics, the connection must not stay behind.
            let guard = ForgetOnDrop(connection);
            session.await;
            drop(guard);
        });
    }

    /// Writes gathered publications to every reader of a room.
    async fn flush(&self, room: RoomId, publications: Vec<Arc<Publication>>) {
        let deliveries: Vec<Delivery> = publications
            .iter()
            .map(|publication| publication.delivery.clone())
            .collect();
        let slices = wire_slices(&deliveries);
        let excepted: HashSet<UserId> = publications
            .iter()
            .filter_map(|publication| publication.except)
            .collect();
        let deliver = |connection: &Rc<Connection>| {
            if excepted.contains(&connection.user_id()) {
                let rest: Vec<Delivery> = publications
                    .iter()
                    .filter(|publication| publication.except != Some(connection.user_id()))
                    .map(|publication| publication.delivery.clone())
                    .collect();
                connection.deliver(&rest, &wire_slices(&rest))
            } else {
                connection.deliver(&deliveries, &slices)
            }
        };

        let mut failed = Vec::new();
        let crowd = {
            let rooms = self.readers.borrow();
            let Some(readers) = rooms.get(&room) else {
                return;
            };
            if readers.len() > READERS_PER_TURN {
                readers.clone()
            } else {
                for connection in readers {
                    if let Err(reason) = deliver(connection) {
                        failed.push((Rc::clone(connection), reason));
                    }
                }
                Vec::new()
            }
        };
        for turn in crowd.chunks(READERS_PER_TURN) {
            for connection in turn.iter().filter(|connection| connection.is_open()) {
                if let Err(reason) = deliver(connection) {
                    failed.push((Rc::clone(connection), reason));
                }
            }
            tokio::task::yield_now().await;
        }
        for (connection, reason) in failed {
            connection.disconnect(reason);
        }
    }

    fn find(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&id).cloned()
    }

    fn reply(&self, to: ConnectionId, frame: EncodedFrame) {
        let Some(connection) = self.find(to).filter(|connection| connection.is_open()) else {
            return;
        };
        let delivery = [Delivery {
            frame,
            lossy: false,
        }];
        if let Err(reason) = connection.deliver(&delivery, &wire_slices(&delivery)) {
            connection.disconnect(reason);
        }
    }

    fn disconnect(&self, matches: impl Fn(&Connection) -> bool, reason: DisconnectReason) {
        let selected: Vec<Rc<Connection>> = self
            .connections
            .borrow()
            .values()
            .filter(|connection| matches(connection))
            .cloned()
            .collect();
        for connection in selected {
            connection.disconnect(reason);
        }
    }

    fn beat(&self) {
        let now = self.tick();
        let due = self.wheel.borrow_mut().take_due(now);
        for id in due {
            let Some(connection) = self.find(id).filter(|connection| connection.is_open()) else {
                continue;
            };
            let Some(pulse) = &connection.pulse else {
                continue;
            };
            match pulse.beat(now) {
                Beat::Wait { until } => self.wheel.borrow_mut().schedule(id, until),
                Beat::Dead => connection.disconnect(DisconnectReason::KeepaliveTimeout),
                Beat::Ping { again_at } => {
                    self.wheel.borrow_mut().schedule(id, again_at);
                    if let Err(reason) = connection.send_bytes(Bytes::from_static(PING_FRAME)) {
                        connection.disconnect(reason);
                    }
                }
            }
        }
    }

    fn next_beat(&self) -> Option<Instant> {
        let tick = self.wheel.borrow().next_due()?;
        Some(self.started + TICK * u32::try_from(tick).unwrap_or(u32::MAX))
    }

    /// Ends every connection and waits for the sessions, but not for ever.
    async fn shut_down(&self, patience: Duration) {
        self.disconnect(|_| true, DisconnectReason::ServiceRestart);
        let deadline = Instant::now() + patience;
        while !self.connections.borrow().is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Serves the commands of one shard until it is told to shut down.
pub(crate) async fn run(
    index: usize,
    hub: Arc<HubState>,
    mut queue: mpsc::UnboundedReceiver<Command>,
) {
    let state = Rc::new(ShardState {
        index,
        hub,
        started: Instant::now(),
        connections: RefCell::default(),
        readers: RefCell::default(),
        wheel: RefCell::default(),
    });
    let mut commands = Vec::with_capacity(BATCH);
    loop {
        let far_away = || Instant::now() + Duration::from_secs(3600);
        let next_beat = state.next_beat().unwrap_or_else(far_away);
        let taken = tokio::select! {
            biased;
            taken = queue.recv_many(&mut commands, BATCH) => taken,
            () = tokio::time::sleep_until(next_beat) => { state.beat(); continue }
        };
        if taken == 0 {
            return;
        }
        state.hub.commands_taken(index, taken);
        let mut gathered: Vec<(RoomId, Vec<Arc<Publication>>)> = Vec::new();
        for command in commands.drain(..) {
            if let Command::Publish(publication) = command {
                match gathered
                    .iter_mut()
                    .find(|(room, _)| *room == publication.room)
                {
                    Some((_, publications)) => publications.push(publication),
                    None => gathered.push((publication.room, vec![publication])),
                }
                continue;
            }
            for (room, publications) in gathered.drain(..) {
                state.flush(room, publications).await;
            }
            match command {
                Command::Publish(_) => {}
                Command::Attach(attachment) => state.attach(*attachment),
                Command::Reply { to, frame } => state.reply(to, frame),
                Command::Disconnect { selector, reason } => {
                    state.disconnect(|connection| selector.matches(connection), reason);
                }
                Command::Shutdown { patience, done } => {
                    state.shut_down(patience).await;
                    let _ = done.send(());
                    return;
                }
            }
        }
        for (room, publications) in gathered.drain(..) {
            state.flush(room, publications).await;
        }
        tokio::task::yield_now().await;
        if state.next_beat().is_some_and(|due| due <= Instant::now()) {
            state.beat();
        }
    }
}

fn wire_slices(deliveries: &[Delivery]) -> Vec<IoSlice<'_>> {
    deliveries
        .iter()
        .map(|delivery| IoSlice::new(delivery.frame.wire_bytes()))
        .collect()
}

struct ForgetOnDrop(Rc<Connection>);

impl Drop for ForgetOnDrop {
    fn drop(&mut self) {
        self.0.disconnect(DisconnectReason::ConnectionLost);
        self.0.forget();
    }
}

impl std::fmt::Debug for NewConnection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewConnection")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
