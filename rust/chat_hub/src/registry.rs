//! What all threads share: rooms, users, and the queue of every shard.
//!
//! A room's entry in `rooms` is the lock under which its presence changes and
//! its deliveries are put in order, so every shard gets the same rounds. Nothing
//! waits while it is held: what is queued is bounded by permits (messages), by
//! the number of connections (presence), by what clients may send (replies), or
//! is left out when much waits (typing).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use chat_protocol::{EncodedFrame, EventKinds, Position, ServerFrame};
use chrono::Utc;

use crate::connection::{ConnectionId, ConnectionRef};
use crate::flow::Decision;
use crate::hub::{HubConfig, HubError};
use crate::peers::Peers;
use crate::presence::{Arrival, ConnectedUser, Profile};
use crate::room::{MissedPresence, Resume, Room, RoomTimer, Wishes};
use crate::seat::{RoomSeat, Seat};
use crate::shard::{Attachment, Command, NewConnection};
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, DashMap, Entry, Instant, mpsc};
use crate::tail::TailLimits;
use crate::topic::{TopicCommand, Topics};

#[path = "registry/healing.rs"]
mod healing;
#[path = "registry/peering.rs"]
mod peering;
#[path = "registry/reads.rs"]
mod reads;

#[derive(Debug)]
pub(crate) struct Registry {
    outbox_max_bytes: usize,
    tail_limits: TailLimits,
    /// None: whose last connection ends is gone.
    presence_grace: Option<Duration>,
    rooms: DashMap<RoomId, Room>,
    users: DashMap<UserId, ConnectedUser>,
    topics: Topics,
    shards: Vec<ShardHandle>,
    connections: AtomicUsize,
    next_connection: AtomicU64,
    accepting: AtomicBool,
    slow_consumers: AtomicU64,
    /// None: this is the only process.
    peers: Option<Arc<dyn Peers>>,
}

#[derive(Debug)]
struct ShardHandle {
    queue: mpsc::UnboundedSender<Command>,
    connections: AtomicUsize,
}

impl Registry {
    /// With the queue that each shard is to serve.
    pub(crate) fn new(
        config: HubConfig,
        peers: Option<Arc<dyn Peers>>,
    ) -> (Self, Vec<mpsc::UnboundedReceiver<Command>>) {
        let (shards, queues) = (0..config.shards.max(1))
            .map(|_| {
                let (queue, commands) = mpsc::unbounded_channel();
                let connections = AtomicUsize::new(0);
                (ShardHandle { queue, connections }, commands)
            })
            .unzip();
        let registry = Self {
            outbox_max_bytes: config.outbox_max_bytes,
            // What was missed must fit beside what comes meanwhile.
            tail_limits: TailLimits::new(config.resume_max_messages, config.outbox_max_bytes / 2),
            presence_grace: Some(config.presence_grace).filter(|grace| !grace.is_zero()),
            rooms: DashMap::new(),
            users: DashMap::new(),
            topics: Topics::default(),
            shards,
            connections: AtomicUsize::new(0),
            next_connection: AtomicU64::new(1),
            accepting: AtomicBool::new(true),
            slow_consumers: AtomicU64::new(0),
            peers,
        };
        (registry, queues)
    }

    pub(crate) fn outbox_max_bytes(&self) -> usize {
        self.outbox_max_bytes
    }

    pub(crate) fn shard_count(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn peers(&self) -> Option<&dyn Peers> {
        self.peers.as_deref()
    }

    pub(crate) fn topics(&self) -> &Topics {
        &self.topics
    }

    pub(crate) fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Acquire)
    }

    pub(crate) fn stop_accepting(&self) {
        self.accepting.store(false, Ordering::Release);
    }

    pub(crate) fn count_slow_consumer(&self) -> u64 {
        self.slow_consumers.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn online_users(&self, room: RoomId) -> Vec<UserId> {
        let room = self.rooms.get(&room);
        room.map(|room| room.users().collect()).unwrap_or_default()
    }

    pub(crate) fn presences(&self) -> Vec<(UserId, RoomId)> {
        let mut presences = Vec::new();
        for room in self.rooms.iter() {
            let users = room.presence.users();
            presences.extend(users.map(|user| (user, *room.key())));
        }
        presences
    }

    pub(crate) fn profile(&self, user: UserId) -> Option<Arc<Profile>> {
        let user = self.users.get(&user);
        user.map(|user| Arc::clone(&user.profile))
    }

    pub(crate) fn update_profile(&self, profile: Profile) {
        if let Some(mut user) = self.users.get_mut(&profile.user_id) {
            user.profile = Arc::new(profile);
        }
    }

    /// See `Hub::join`.
    pub(crate) fn join(
        &self,
        profile: Arc<Profile>,
        room_id: RoomId,
        welcome: EncodedFrame,
        connection: NewConnection,
        max_connections: Option<usize>,
        wishes: Wishes,
    ) -> Result<ConnectionRef, HubError> {
        let Wishes {
            events,
            resume,
            newest,
        } = wishes;
        let id = self.admit(max_connections)?;
        let user_id = profile.user_id;
        self.users
            .entry(user_id)
            .and_modify(|user| {
                user.uses += 1;
                user.profile = Arc::clone(&profile);
            })
            .or_insert_with(|| ConnectedUser {
                profile: Arc::clone(&profile),
                uses: 1,
                told_of_reads: Vec::new(),
            });

        let mut room = self
            .rooms
            .entry(room_id)
            .or_insert_with(|| Room::new(self.shards.len()));
        let shard = room.presence.shard_for_next(self.loads());
        self.shards[shard]
            .connections
            .fetch_add(1, Ordering::Relaxed);
        let timestamp = Utc::now();
        let arrival = room.presence.join(user_id, shard);
        if arrival == Arrival::First {
            self.tell_presence(room_id, user_id, Some(&profile));
            if !room.elsewhere.contains(user_id) {
                room.announce_join(user_id, timestamp);
            }
        }
        self.begin_line(room_id, &mut room, newest);
        room.asking.count_in(events);
        let mut greeting = vec![welcome, room.users_online(timestamp)];
        let mut replayed_to = (Seq::default(), Change::default());
        if let Some(resume) = resume {
            let replay = room.replay(resume, &self.tail_limits);
            greeting.extend(replay.frames);
            replayed_to = (replay.to, replay.to_change.unwrap_or_default());
        }
        let attachment = Attachment {
            id,
            seat: Seat::in_room(user_id, room_id, room.flow.length(), replayed_to, events),
            connection,
            greeting,
        };
        let joined = ConnectionRef {
            id,
            shard,
            room: Some(room_id),
        };
        // Before it can end.
        self.tell_of_reads(user_id, joined, events);
        // Before the room's next round, which may be for this connection too.
        self.send(shard, Command::Attach(Box::new(attachment)));
        self.advance(room_id, &mut room);
        drop(room);
        if arrival == Arrival::Back {
            self.let_user_go(user_id);
        }
        Ok(joined)
    }

    /// See `Hub::hold_room`.
    pub(crate) fn hold_room(&self, id: RoomId) {
        let room = self.rooms.entry(id);
        let mut room = room.or_insert_with(|| Room::new(self.shards.len()));
        room.hold();
        self.listen_if_used(id, &mut room);
        room.use_tail(&self.tail_limits);
    }

    /// The end of a hold.
    pub(crate) fn let_room_go(&self, id: RoomId) {
        self.with_room(id, Room::let_go);
    }

    /// See `Hub::needs_tail`.
    pub(crate) fn needs_tail(&self, id: RoomId, since: Position) -> bool {
        let room = self.rooms.get(&id);
        room.is_none_or(|room| room.needs_loading(since))
    }

    /// See `Hub::resume`.
    pub(crate) fn resume(&self, to: ConnectionRef, resume: Resume) {
        let Some(room) = to.room else {
            return;
        };
        self.with_room(room, |room| {
            let replay = room.replay(resume, &self.tail_limits);
            room.push_replay(to, replay);
        });
    }

    /// See `Connection::ask_for`.
    pub(crate) fn ask_for(&self, connection: ConnectionRef, seat: &RoomSeat, events: EventKinds) {
        self.with_room(seat.room_id, |room| {
            let before = seat.events.get();
            let events = before.and(events);
            room.asking.count_in(events.without(before));
            self.tell_of_reads(seat.user_id, connection, events.without(before));
            seat.events.set(events);
            room.push_only(connection, ServerFrame::Subscribed { events }.encode());
        });
    }

    /// See `Hub::attach`.
    pub(crate) fn attach(
        &self,
        connection: NewConnection,
        ping: Option<EncodedFrame>,
        greeting: Vec<EncodedFrame>,
        max_connections: Option<usize>,
    ) -> Result<ConnectionRef, HubError> {
        let id = self.admit(max_connections)?;
        // Its topics are not known yet: the least busy shard.
        let loads = self.loads().enumerate();
        let shard = loads
            .min_by_key(|(_, load)| *load)
            .map_or(0, |(shard, _)| shard);
        self.shards[shard]
            .connections
            .fetch_add(1, Ordering::Relaxed);
        let attachment = Attachment {
            id,
            seat: Seat::with_topics(ping),
            connection,
            greeting,
        };
        self.send(shard, Command::Attach(Box::new(attachment)));
        Ok(ConnectionRef {
            id,
            shard,
            room: None,
        })
    }

    /// Counts a new connection in.
    fn admit(&self, max_connections: Option<usize>) -> Result<ConnectionId, HubError> {
        if !self.is_accepting() {
            return Err(HubError::ShuttingDown);
        }
        let open = self.connections.fetch_add(1, Ordering::Relaxed);
        if max_connections.is_some_and(|limit| open >= limit) {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(HubError::TooManyConnections);
        }
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        Ok(ConnectionId(id))
    }

    /// The connections of every shard.
    fn loads(&self) -> impl Iterator<Item = usize> + '_ {
        let shards = self.shards.iter();
        shards.map(|shard| shard.connections.load(Ordering::Relaxed))
    }

    /// Counts a connection of a shard out.
    pub(crate) fn count_out(&self, shard: usize) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.shards[shard]
            .connections
            .fetch_sub(1, Ordering::Relaxed);
    }

    /// All shards have written a round of the room.
    pub(crate) fn end_round(&self, room: RoomId) {
        self.with_room(room, |room| room.flow.end_round());
    }

    /// Tells a connection what it has missed of who came and went.
    pub(crate) fn catch_up(&self, to: ConnectionRef, missed: MissedPresence) {
        if let Some(room) = to.room {
            self.with_room(room, |room| room.catch_up(to, missed));
        }
    }

    /// See `Hub::reply`.
    pub(crate) fn reply(&self, to: ConnectionRef, frame: EncodedFrame) {
        match to.room {
            Some(room) => {
                self.with_room(room, |room| room.push_only(to, frame));
            }
            None => {
                let send = TopicCommand::Send(to.id, frame.into());
                self.send(to.shard, Command::Topic(send));
            }
        }
    }

    /// Writes what waits in any room, without waiting for anything.
    pub(crate) fn write_everything(&self) {
        for mut room in self.rooms.iter_mut() {
            let id = *room.key();
            if room.flow.is_waiting() {
                self.write_waiting(id, &mut room);
            }
        }
    }

    /// Changes a room and does what follows; false if there is nobody in it.
    pub(crate) fn with_room(&self, id: RoomId, change: impl FnOnce(&mut Room)) -> bool {
        let Entry::Occupied(mut entry) = self.rooms.entry(id) else {
            return false;
        };
        let room = entry.get_mut();
        change(room);
        self.advance(id, room);
        if room.is_done() {
            entry.remove();
        }
        true
    }

    /// Writes the next round if it is time; the caller holds the room's entry.
    fn advance(&self, id: RoomId, room: &mut Room) {
        if self.peers.is_some() {
            self.listen_if_used(id, room);
            self.watch_missing(id, room);
        }
        match room.flow.decide(Instant::now()) {
            Decision::Wait => {}
            Decision::Write => self.write_waiting(id, room),
            Decision::WaitUntil(time, timer) => {
                self.set_timer(id, room, time, RoomTimer::Flow(timer));
            }
        }
    }

    fn set_timer(&self, id: RoomId, room: &Room, time: Instant, timer: RoomTimer) {
        let shard = room.presence.shards().next().unwrap_or(0);
        let room = id;
        self.send(shard, Command::SetTimer { time, room, timer });
    }

    fn write_waiting(&self, id: RoomId, room: &mut Room) {
        let Some((round, shards)) = room.begin_round(id) else {
            return;
        };
        let round = Arc::new(round);
        for shard in shards {
            self.send(shard, Command::Write(Arc::clone(&round)));
        }
    }

    pub(crate) fn send(&self, shard: usize, command: Command) {
        if let Err(refused) = self.shards[shard].queue.send(command) {
            refused.0.refuse();
        }
    }
}
