//! A shard's connections and rooms, and what the other threads may ask of it.
//!
//! Everything here lives on one thread; `worker` is the loop that serves it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_protocol::EncodedFrame;
use chat_protocol::ids::{RoomId, UserId};
use tokio::sync::oneshot;

use crate::bridge::BridgeOutput;
use crate::connection::{Connection, ConnectionId, ConnectionRef, LocalLink};
use crate::disconnect::DisconnectReason;
use crate::gathering::Gathering;
use crate::heartbeat::{Beat, Heartbeat, HeartbeatWheel, Pulse, TICK};
use crate::registry::Registry;
use crate::room::{MissedPresence, RoomTimer};
use crate::round::{Round, WireForm};
use crate::seat::{RoomSeat, Seat};
use crate::stream::StreamSource;
use crate::sync::{Instant, sleep, sleep_until, spawn_local};
use crate::topic::TopicCommand;

/// Runs a session on its shard's thread until the connection has ended.
pub type SessionFactory =
    Box<dyn FnOnce(Rc<Connection>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// How bytes or frames reach the client.
#[derive(Debug)]
pub enum Link {
    /// A socket of ours; `preamble` (the handshake's answer) goes out first.
    Socket {
        source: StreamSource,
        preamble: Bytes,
        /// Whether the client takes compressed messages.
        deflate: bool,
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
    pub(crate) seat: Seat,
    pub(crate) connection: NewConnection,
    pub(crate) greeting: Vec<EncodedFrame>,
}

pub(crate) enum Command {
    Attach(Box<Attachment>),
    Write(Arc<Round>),
    /// Call `timer_expired` at this time.
    SetTimer {
        time: Instant,
        room: RoomId,
        timer: RoomTimer,
    },
    Topic(TopicCommand),
    /// Write what the topics of the shard have gathered, and say so.
    WriteGathered(oneshot::Sender<()>),
    Close(ConnectionId, DisconnectReason),
    Revoke(Selector),
    /// Closes those in rooms that were to be closed until then.
    Expire(Instant),
    /// Closes everybody with `ServiceRestart`, at times spread over this one.
    Dismiss {
        spread: Duration,
        done: oneshot::Sender<()>,
    },
    Shutdown {
        patience: Duration,
        done: oneshot::Sender<()>,
    },
}

impl Command {
    /// Of a shard that has ended: only connections on their way to it are missed by
    /// anybody. A socket ends by being dropped.
    pub(crate) fn refuse(self) {
        if let Self::Attach(attachment) = self
            && let Link::Bridge(output) = attachment.connection.link
            && let Some((code, text)) = DisconnectReason::ServiceRestart.close_code()
        {
            output.close(code, text, false);
        }
    }
}

/// Which connections a command is about.
#[derive(Clone, Debug)]
pub(crate) enum Selector {
    User(UserId),
    UserInRoom(UserId, RoomId),
    RoomExcept(RoomId, Arc<HashSet<UserId>>),
}

impl Selector {
    fn matches(&self, connection: &Connection) -> bool {
        let seat = connection.room_seat();
        seat.is_some_and(|seat| self.selects(seat.user_id, seat.room_id))
    }

    /// Whether it is about this user in this room.
    pub(crate) fn selects(&self, user: UserId, room: RoomId) -> bool {
        match self {
            Self::User(only) => user == *only,
            Self::UserInRoom(only, there) => user == *only && room == *there,
            Self::RoomExcept(there, allowed) => room == *there && !allowed.contains(&user),
        }
    }

    /// The room it is about, unless it is about all.
    pub(crate) fn room(&self) -> Option<RoomId> {
        match self {
            Self::User(_) => None,
            Self::UserInRoom(_, room) | Self::RoomExcept(room, _) => Some(*room),
        }
    }
}

/// What the connections of one thread share.
pub(crate) struct ShardState {
    index: usize,
    registry: Arc<Registry>,
    started: Instant,
    connections: RefCell<HashMap<ConnectionId, Rc<Connection>>>,
    readers: RefCell<HashMap<RoomId, Vec<Rc<Connection>>>>,
    gathering: Gathering,
    wheel: RefCell<HeartbeatWheel>,
}

impl ShardState {
    pub(crate) fn new(index: usize, registry: Arc<Registry>) -> Self {
        Self {
            index,
            registry,
            started: Instant::now(),
            connections: RefCell::default(),
            readers: RefCell::default(),
            gathering: Gathering::default(),
            wheel: RefCell::default(),
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn gathering(&self) -> &Gathering {
        &self.gathering
    }

    pub(crate) fn outbox_max_bytes(&self) -> usize {
        self.registry.outbox_max_bytes()
    }

    /// Takes a connection out of the wheel of pings and out of its room or topics,
    /// here and in the hub.
    pub(crate) fn leave(&self, connection: &Connection, reason: DisconnectReason) {
        if let Some(pulse) = &connection.pulse {
            self.wheel.borrow_mut().remove(connection.id(), pulse);
        }
        if reason == DisconnectReason::SlowConsumer {
            let so_far = self.registry.count_slow_consumer();
            let seat = connection.room_seat();
            tracing::warn!(
                user = seat.map(|seat| seat.user_id.0),
                room = seat.map(|seat| seat.room_id.0),
                so_far,
                "a reader was dropped because its outbox was full"
            );
        }
        match connection.room_seat() {
            Some(seat) => {
                self.leave_room(connection, seat);
                self.registry.leave(connection.reference(), seat, reason);
            }
            None => {
                self.leave_topics(connection);
                self.registry.count_out(self.index);
            }
        }
    }

    fn leave_room(&self, connection: &Connection, seat: &RoomSeat) {
        let mut rooms = self.readers.borrow_mut();
        if let Some(readers) = rooms.get_mut(&seat.room_id) {
            let index = seat.index.get();
            if readers
                .get(index)
                .is_some_and(|reader| reader.id() == connection.id())
            {
                readers.swap_remove(index);
                if let Some(moved) = readers.get(index).and_then(|moved| moved.room_seat()) {
                    moved.index.set(index);
                }
            }
            if readers.is_empty() {
                rooms.remove(&seat.room_id);
            }
        }
    }

    /// Tells a connection what it has missed of who came and went.
    pub(crate) fn catch_up(&self, connection: &Connection, missed: MissedPresence) {
        self.registry.catch_up(connection.reference(), missed);
    }

    pub(crate) fn forget(&self, id: ConnectionId) {
        self.connections.borrow_mut().remove(&id);
    }

    fn tick(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn attach(self: &Rc<Self>, attachment: Attachment) {
        let Attachment {
            id,
            seat,
            connection: new,
            greeting,
        } = attachment;
        let (link, preamble) = match new.link {
            Link::Bridge(output) => (LocalLink::Bridge(output), None),
            Link::Socket {
                source,
                preamble,
                deflate,
            } => match source.register() {
                Ok(stream) => {
                    let form = if deflate {
                        WireForm::Deflated
                    } else {
                        WireForm::Plain
                    };
                    (LocalLink::socket(stream, form), Some(preamble))
                }
                Err(error) => {
                    tracing::warn!(%error, "a socket could not be registered");
                    match seat {
                        Seat::Room(seat) => {
                            let connection = ConnectionRef {
                                id,
                                shard: self.index,
                                room: Some(seat.room_id),
                            };
                            let reason = DisconnectReason::ConnectionLost;
                            self.registry.leave(connection, &seat, reason);
                        }
                        Seat::Topics(_) => self.registry.count_out(self.index),
                    }
                    return;
                }
            },
        };
        let pulse = new.heartbeat.map(Pulse::new);
        if let Some(pulse) = &pulse {
            let due = pulse.first_due(self.tick());
            self.wheel.borrow_mut().schedule(id, pulse, due);
        }
        let connection = Rc::new(Connection::new(id, seat, Rc::clone(self), link, pulse));
        self.connections
            .borrow_mut()
            .insert(id, Rc::clone(&connection));
        if let Some(seat) = connection.room_seat() {
            let mut rooms = self.readers.borrow_mut();
            let readers = rooms.entry(seat.room_id).or_default();
            seat.index.set(readers.len());
            readers.push(Rc::clone(&connection));
        }
        if let Err(reason) = connection.greet(preamble, &greeting) {
            connection.disconnect(reason);
        }
        let session = (new.session)(Rc::clone(&connection));
        spawn_local(async move {
            // Also when the session panics, the connection must not stay behind.
            let guard = ForgetOnDrop(connection);
            session.await;
            drop(guard);
        });
    }

    /// Those a round must be written to.
    pub(crate) fn readers(&self, round: &Round) -> Vec<Rc<Connection>> {
        if round.is_for_most() {
            let rooms = self.readers.borrow();
            rooms.get(&round.room).cloned().unwrap_or_default()
        } else {
            let targets = round.targets().iter();
            targets.filter_map(|target| self.find(target.id)).collect()
        }
    }

    pub(crate) fn find(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&id).cloned()
    }

    /// Closes connections to rooms, whose users are then not there any more.
    pub(crate) fn revoke(&self, selector: &Selector) {
        let reason = DisconnectReason::AccessRevoked;
        self.disconnect(|connection| selector.matches(connection), reason);
        // After this thread has seen the ends of all that it may have been about.
        self.registry.end_absences(selector);
    }

    pub(crate) fn expire(&self, now: Instant) {
        let is_over = |connection: &Connection| {
            let expires = connection.room_seat().and_then(|seat| seat.expires.get());
            expires.is_some_and(|expires| expires <= now)
        };
        self.disconnect(is_over, DisconnectReason::TokenExpired);
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

    pub(crate) fn beat(&self) {
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
                Beat::Wait { until } => self.wheel.borrow_mut().schedule(id, pulse, until),
                Beat::Dead => connection.disconnect(DisconnectReason::KeepaliveTimeout),
                Beat::Ping { again_at } => {
                    self.wheel.borrow_mut().schedule(id, pulse, again_at);
                    if let Err(reason) = connection.ask_for_sign_of_life() {
                        connection.disconnect(reason);
                    }
                }
            }
        }
    }

    pub(crate) fn beat_time(&self) -> Option<Instant> {
        let tick = self.wheel.borrow().next_due()?;
        Some(self.started + TICK * u32::try_from(tick).unwrap_or(u32::MAX))
    }

    /// Ends one connection after the other, in no order.
    pub(crate) async fn dismiss(&self, spread: Duration) {
        let begin = Instant::now();
        let ids: Vec<ConnectionId> = self.connections.borrow().keys().copied().collect();
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        for (place, id) in (0..count).zip(ids) {
            sleep_until(begin + spread * place / count).await;
            if let Some(connection) = self.find(id) {
                connection.disconnect(DisconnectReason::ServiceRestart);
            }
        }
    }

    /// Ends every connection and waits for the sessions, but not for ever.
    pub(crate) async fn shut_down(&self, patience: Duration) {
        self.disconnect(|_| true, DisconnectReason::ServiceRestart);
        let deadline = Instant::now() + patience;
        while !self.connections.borrow().is_empty() && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
    }
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
