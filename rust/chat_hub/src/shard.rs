//! A shard: one thread, its connections, and the loop that serves them.
//!
//! The loop takes what is queued, writes a part of every round it has, and yields:
//! sessions read, and the next rounds build up meanwhile. A round of a large room
//! takes several turns, so that other rooms get theirs in between.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_protocol::ids::{RoomId, UserId};
use chat_protocol::{EncodedFrame, PING_FRAME};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::bridge::BridgeOutput;
use crate::connection::{Connection, ConnectionId, ConnectionRef, LocalLink, Place};
use crate::disconnect::DisconnectReason;
use crate::flow::HoldId;
use crate::heartbeat::{Beat, Heartbeat, HeartbeatWheel, Pulse, TICK};
use crate::registry::Registry;
use crate::round::Round;
use crate::stream::StreamSource;

/// Runs a session on its shard's thread until the connection has ended.
pub type SessionFactory =
    Box<dyn FnOnce(Rc<Connection>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// Commands taken from the queue at once.
const BATCH: usize = 256;
/// Readers of one room that are written to before other rooms and tasks get a turn.
const READERS_PER_TURN: usize = 1024;
/// How long what is stored may wait for other messages of the room to come back
/// from the database. Longer than a commit, shorter than anybody notices.
const LONGEST_HOLD: Duration = Duration::from_millis(5);

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
    pub(crate) place: Place,
    pub(crate) connection: NewConnection,
    pub(crate) greeting: Vec<EncodedFrame>,
}

pub(crate) enum Command {
    Attach(Box<Attachment>),
    Write(Arc<Round>),
    /// Call `hold_expired` in a while.
    Hold {
        room: RoomId,
        hold: HoldId,
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
    registry: Arc<Registry>,
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
        self.registry.outbox_max_bytes()
    }

    /// Takes a connection out of its room, here and in the hub.
    pub(crate) fn leave(&self, connection: &Connection, reason: DisconnectReason) {
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
        if reason == DisconnectReason::SlowConsumer {
            let so_far = self.registry.count_slow_consumer();
            tracing::warn!(
                user = connection.user_id().0,
                room = room_id.0,
                so_far,
                "a reader was dropped because its outbox was full"
            );
        }
        self.registry
            .leave(connection.reference(), connection.user_id());
    }

    /// Sends the list of users to a connection that has missed changes of it.
    pub(crate) fn tell_presence(&self, connection: &Connection) {
        self.registry.tell_presence(connection.reference());
    }

    pub(crate) fn forget(&self, id: ConnectionId) {
        self.connections.borrow_mut().remove(&id);
    }

    fn tick(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
    }

    fn attach(self: &Rc<Self>, attachment: Attachment) {
        let Attachment {
            place,
            connection: new,
            greeting,
        } = attachment;
        let Place { id, room_id, .. } = place;
        let (link, preamble) = match new.link {
            Link::Bridge(output) => (LocalLink::Bridge(output), None),
            Link::Socket {
                source, preamble, ..
            } => match source.register() {
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
                    let reference = ConnectionRef {
                        id,
                        shard: self.index,
                        room: room_id,
                    };
                    self.registry.leave(reference, place.user_id);
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
        let connection = Rc::new(Connection::new(place, Rc::clone(self), link, pulse));
        self.connections
            .borrow_mut()
            .insert(id, Rc::clone(&connection));
        {
            let mut rooms = self.readers.borrow_mut();
            let readers = rooms.entry(room_id).or_default();
            connection.room_index.set(readers.len());
            readers.push(Rc::clone(&connection));
        }
        if let Err(reason) = connection.greet(preamble, &greeting) {
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

    /// Those a round must be written to.
    fn begin(&self, round: Arc<Round>) -> Writing {
        let readers = if round.is_for_most() {
            let rooms = self.readers.borrow();
            rooms.get(&round.room).cloned().unwrap_or_default()
        } else {
            let targets = round.targets().iter();
            targets.filter_map(|target| self.find(target.id)).collect()
        };
        Writing {
            round,
            readers,
            next: 0,
        }
    }

    fn find(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&id).cloned()
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

    fn beat_time(&self) -> Option<Instant> {
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

/// A round that is being written.
struct Writing {
    round: Arc<Round>,
    readers: Vec<Rc<Connection>>,
    next: usize,
}

impl Writing {
    /// Writes to the next readers; true when all have been written to.
    fn turn(&mut self) -> bool {
        let end = self.readers.len().min(self.next + READERS_PER_TURN);
        for connection in &self.readers[self.next..end] {
            if connection.is_open()
                && let Err(reason) = connection.deliver(&self.round)
            {
                connection.disconnect(reason);
            }
        }
        self.next = end;
        end == self.readers.len()
    }
}

/// The loop of a shard.
struct Worker {
    state: Rc<ShardState>,
    queue: mpsc::UnboundedReceiver<Command>,
    /// Rounds that are being written, each of another room.
    writing: VecDeque<Writing>,
    /// Rooms whose round is written here.
    written: Vec<Arc<Round>>,
    /// In the order in which they expire.
    holds: VecDeque<(Instant, RoomId, HoldId)>,
}

impl Worker {
    /// Serves until it is told to shut down.
    async fn run(mut self) {
        let mut commands = Vec::with_capacity(BATCH);
        loop {
            if self.writing.is_empty() {
                let far_away = || Instant::now() + Duration::from_secs(3600);
                let timer = self.next_timer().unwrap_or_else(far_away);
                tokio::select! {
                    biased;
                    taken = self.queue.recv_many(&mut commands, BATCH) => if taken == 0 {
                        return;
                    },
                    () = tokio::time::sleep_until(timer) => {}
                }
            } else {
                while commands.len() < BATCH
                    && let Ok(command) = self.queue.try_recv()
                {
                    commands.push(command);
                }
            }
            for command in commands.drain(..) {
                if let Some((patience, done)) = self.take(command) {
                    self.write_everything();
                    self.state.shut_down(patience).await;
                    let _ = done.send(());
                    return;
                }
            }
            self.write_turn();
            // Sessions read what has come meanwhile; only then does a written
            // round end, so that the room's next one can wait for that.
            tokio::task::yield_now().await;
            for round in self.written.drain(..) {
                if round.shard_done() {
                    self.state.registry.end_round(round.room);
                }
            }
            self.run_timers();
        }
    }

    /// Does what a command says; gives back what to do for a shut-down.
    fn take(&mut self, command: Command) -> Option<(Duration, oneshot::Sender<()>)> {
        match command {
            Command::Attach(attachment) => self.state.attach(*attachment),
            Command::Write(round) => self.writing.push_back(self.state.begin(round)),
            Command::Hold { room, hold } => {
                let expiry = Instant::now() + LONGEST_HOLD;
                self.holds.push_back((expiry, room, hold));
            }
            Command::Disconnect { selector, reason } => {
                self.state
                    .disconnect(|connection| selector.matches(connection), reason);
            }
            Command::Shutdown { patience, done } => return Some((patience, done)),
        }
        None
    }

    /// A part of every round.
    fn write_turn(&mut self) {
        for _ in 0..self.writing.len() {
            let Some(mut writing) = self.writing.pop_front() else {
                return;
            };
            if writing.turn() {
                self.written.push(writing.round);
            } else {
                self.writing.push_back(writing);
            }
        }
    }

    /// All rounds to their ends, those of one room in order.
    fn write_everything(&mut self) {
        for mut writing in self.writing.drain(..) {
            while !writing.turn() {}
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        let hold = self.holds.front().map(|(expiry, ..)| *expiry);
        self.state.beat_time().into_iter().chain(hold).min()
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        while let Some((_, room, hold)) = self.holds.pop_front_if(|(expiry, ..)| *expiry <= now) {
            self.state.registry.hold_expired(room, hold);
        }
        if self.state.beat_time().is_some_and(|due| due <= now) {
            self.state.beat();
        }
    }
}

/// Serves the commands of one shard until it is told to shut down.
pub(crate) fn run(
    runtime: &Runtime,
    index: usize,
    registry: Arc<Registry>,
    queue: mpsc::UnboundedReceiver<Command>,
) {
    let worker = Worker {
        state: Rc::new(ShardState {
            index,
            registry,
            started: Instant::now(),
            connections: RefCell::default(),
            readers: RefCell::default(),
            wheel: RefCell::default(),
        }),
        queue,
        writing: VecDeque::new(),
        written: Vec::new(),
        holds: VecDeque::new(),
    };
    let tasks = LocalSet::new();
    // A task like the sessions, so that they all take turns: after a yield the
    // sessions whose sockets were readable have run.
    let worker = tasks.spawn_local(worker.run());
    if tasks.block_on(runtime, worker).is_err() {
        tracing::error!("a socket thread ended with a panic");
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
