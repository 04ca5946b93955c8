//! The hub as the other crates see it.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use chat_protocol::{EncodedFrame, Position};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::connection::ConnectionRef;
use crate::disconnect::DisconnectReason;
use crate::line::LineNews;
use crate::peers::{News, Notice, Peers};
use crate::presence::Profile;
use crate::registry::Registry;
use crate::room::{Resume, Room, Wishes};
use crate::shard::{Command, NewConnection, Selector};
use crate::sync::{AtomicU64, Instant, JoinHandle, Mutex, spawn_thread};
use crate::worker;

/// Bytes of messages that may be between acceptance and the last shard's write.
const IN_FLIGHT_KIBIBYTES: u32 = 64 * 1024;

/// How the hub is built.
#[derive(Clone, Copy, Debug)]
pub struct HubConfig {
    /// Threads that serve sockets; at least one.
    pub shards: usize,
    /// What may wait for one reader, in bytes; above it the reader is dropped.
    pub outbox_max_bytes: usize,
    /// Messages that a connection may have missed and get when it comes back, as far
    /// as they fit into half of its outbox.
    pub resume_max_messages: usize,
    /// How long a user whose last connection to a room has ended stays there, in case
    /// another one comes. Zero: not at all.
    pub presence_grace: Duration,
}

/// Why a connection cannot be attached or the hub not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    #[error("the service is shutting down")]
    ShuttingDown,
    #[error("the limit of connections is reached")]
    TooManyConnections,
    #[error("a socket thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// What a message of that size takes of what may be in flight.
pub(crate) fn in_flight_kibibytes(message_bytes: usize) -> u32 {
    u32::try_from(message_bytes / 1024 + 1)
        .unwrap_or(u32::MAX)
        .min(IN_FLIGHT_KIBIBYTES)
}

/// A stored message for the readers of a room.
#[derive(Debug)]
pub struct Publication {
    /// None where the database cannot number messages; then nobody who comes back
    /// gets it.
    pub seq: Option<Seq>,
    pub frame: EncodedFrame,
    /// What the connections of this user get instead.
    pub own: Option<(UserId, EncodedFrame)>,
}

/// A change of a message for those readers of a room who have asked for changes.
#[derive(Debug)]
pub struct ChangePublication {
    pub change: Change,
    /// The place of the message.
    pub seq: Seq,
    pub frame: EncodedFrame,
    /// The message as it is now, for connections that come back.
    pub message: EncodedFrame,
}

/// Keeps a room, and what is published in it, for a connection that is about to
/// come back, even if nobody is in it.
#[derive(Debug)]
pub struct RoomHold {
    registry: Arc<Registry>,
    room: RoomId,
}

impl Drop for RoomHold {
    fn drop(&mut self) {
        self.registry.let_room_go(self.room);
    }
}

/// A message on its way through the database: its room waits for it a moment, and
/// its bytes are counted until the last shard has written it. Dropped without
/// `publish`, it says that the message failed.
#[derive(Debug)]
pub struct PublishPermit {
    bytes: Option<OwnedSemaphorePermit>,
    submission: Option<Submission>,
}

#[derive(Debug)]
struct Submission {
    registry: Arc<Registry>,
    room: RoomId,
    is_published: bool,
}

impl Drop for Submission {
    fn drop(&mut self) {
        if !self.is_published {
            let settle = |room: &mut Room| room.flow.settle();
            self.registry.with_room(self.room, settle);
        }
    }
}

/// A point in the history of permission changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessVersion(u64);

/// A cheap handle to the hub.
#[derive(Clone, Debug)]
pub struct Hub {
    pub(crate) state: Arc<HubState>,
}

#[derive(Debug)]
pub(crate) struct HubState {
    pub(crate) registry: Arc<Registry>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    access_version: AtomicU64,
    pub(crate) in_flight: Arc<Semaphore>,
}

impl Hub {
    /// Starts the shard threads.
    ///
    /// # Errors
    /// `HubError::Thread` if the system refuses a thread or its runtime.
    pub fn start(config: HubConfig) -> Result<Self, HubError> {
        Self::start_with(config, None)
    }

    /// The same for one of several processes.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_among(config: HubConfig, peers: Arc<dyn Peers>) -> Result<Self, HubError> {
        Self::start_with(config, Some(peers))
    }

    fn start_with(config: HubConfig, peers: Option<Arc<dyn Peers>>) -> Result<Self, HubError> {
        let (registry, queues) = Registry::new(config, peers);
        let registry = Arc::new(registry);
        let mut threads = Vec::with_capacity(queues.len());
        for (index, commands) in queues.into_iter().enumerate() {
            let registry = Arc::clone(&registry);
            let name = format!("chat-shard-{index}");
            let thread = spawn_thread(name, move || worker::run(index, registry, commands));
            threads.push(thread.map_err(HubError::Thread)?);
        }
        let state = Arc::new(HubState {
            registry,
            threads: Mutex::new(threads),
            access_version: AtomicU64::new(0),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_KIBIBYTES as usize)),
        });
        Ok(Self { state })
    }

    /// Attaches a connection to a room. The others see `user_joined` if it is the
    /// user's first and the user is not away; the connection gets `welcome`, then `users_online`, then, if it
    /// comes back, `resumed` and what it has missed, before anything else.
    ///
    /// # Errors
    /// `ShuttingDown`; `TooManyConnections` if `max_connections` are open.
    pub fn join(
        &self,
        profile: Arc<Profile>,
        room: RoomId,
        welcome: EncodedFrame,
        connection: NewConnection,
        max_connections: Option<usize>,
        wishes: Wishes,
    ) -> Result<ConnectionRef, HubError> {
        self.state
            .registry
            .join(profile, room, welcome, connection, max_connections, wishes)
    }

    /// To be held from before the newest messages are loaded until the connection
    /// that comes back has joined: what is published in between is kept for it.
    pub fn hold_room(&self, room: RoomId) -> RoomHold {
        let registry = Arc::clone(&self.state.registry);
        registry.hold_room(room);
        RoomHold { registry, room }
    }

    /// Whether the newest messages and changes of a room must be loaded for a connection
    /// that has seen everything up to `since`.
    pub fn needs_tail(&self, room: RoomId, since: Position) -> bool {
        self.state.registry.needs_tail(room, since)
    }

    /// Sends a connection in a room `resumed` and what it has missed.
    pub fn resume(&self, to: ConnectionRef, resume: Resume) {
        self.state.registry.resume(to, resume);
    }

    /// Waits for room for a message of that size in the stream of publications,
    /// and tells the room that it is coming. To be called before the message is
    /// handed to the database.
    pub async fn admit(&self, room: RoomId, message_bytes: usize) -> PublishPermit {
        let kibibytes = in_flight_kibibytes(message_bytes);
        // The semaphore is never closed; without a permit there is just no bound.
        let bytes = Arc::clone(&self.state.in_flight)
            .acquire_many_owned(kibibytes)
            .await
            .ok();
        let is_open = self
            .state
            .registry
            .with_room(room, |room| room.flow.submit());
        let submission = is_open.then(|| Submission {
            registry: Arc::clone(&self.state.registry),
            room,
            is_published: false,
        });
        PublishPermit { bytes, submission }
    }

    /// Sends a message to every reader of a room, in one order for all of them.
    pub fn publish(&self, room_id: RoomId, publication: Publication, permit: PublishPermit) {
        self.tell(room_id, News::Message(&publication));
        self.publish_news(room_id, LineNews::Message(publication, None), permit);
    }

    /// Sends a change of a message to every reader of a room who has asked for changes,
    /// behind the message. To be called in the order of the changes.
    pub fn publish_change(
        &self,
        room_id: RoomId,
        publication: ChangePublication,
        permit: PublishPermit,
    ) {
        self.tell(room_id, News::Change(&publication));
        self.publish_news(room_id, LineNews::Change(publication, None), permit);
    }

    fn publish_news(&self, room_id: RoomId, news: LineNews, permit: PublishPermit) {
        let PublishPermit {
            bytes,
            mut submission,
        } = permit;
        let news = news.with_permit(bytes);
        self.state.registry.with_room(room_id, |room| {
            room.take_up(news);
            if let Some(submission) = &mut submission {
                submission.is_published = true;
                room.flow.settle();
            }
        });
    }

    /// Tells the readers of the room at other processes, if there are any.
    fn tell(&self, room: RoomId, news: News<'_>) {
        if let Some(peers) = self.state.registry.peers() {
            peers.tell(room, news);
        }
    }

    fn tell_all(&self, notice: impl FnOnce() -> Notice) {
        if let Some(peers) = self.state.registry.peers() {
            peers.tell_all(&notice());
        }
    }

    /// Messages of a room may have changed without anybody having heard of it: whoever
    /// comes back next gets what the database has.
    pub fn forget_tail(&self, room: RoomId) {
        self.tell_all(|| Notice::ForgetTail(room));
        self.tail_forgotten(room);
    }

    pub(crate) fn tail_forgotten(&self, room: RoomId) {
        self.state.registry.with_room(room, Room::forget_tail);
    }

    /// Says that a user of a room types, or does not, to everybody there but the user.
    /// The frame may be lost, or replaced by a newer one of its author. Who has asked for
    /// that is told when a user types no more who has not said so.
    pub fn publish_typing(
        &self,
        room_id: RoomId,
        author: UserId,
        is_typing: bool,
        frame: EncodedFrame,
    ) {
        let news = News::Typing {
            author,
            is_typing,
            frame: &frame,
        };
        self.tell(room_id, news);
        let registry = &self.state.registry;
        registry.publish_typing(room_id, author, is_typing, frame);
    }

    /// Tells the connections of a user, in whatever room, that have asked for what the
    /// user reads; without the one where it was read.
    pub fn publish_read(&self, user: UserId, frame: &EncodedFrame, except: Option<ConnectionRef>) {
        self.tell_all(|| Notice::Read(user, frame.clone()));
        self.state.registry.publish_read(user, frame, except);
    }

    /// Sends a frame to one connection, behind everything published to its room or,
    /// by the same thread, to its topics before.
    pub fn reply(&self, to: ConnectionRef, frame: EncodedFrame) {
        self.state.registry.reply(to, frame);
    }

    /// The users in a room in the order of their first connection.
    pub fn online_users(&self, room: RoomId) -> Vec<Arc<Profile>> {
        let users = self.state.registry.online_users(room).into_iter();
        users.filter_map(|user| self.profile(user)).collect()
    }

    /// Everybody who is in a room at this process, with the room.
    pub fn presences(&self) -> Vec<(UserId, RoomId)> {
        self.state.registry.presences()
    }

    /// The current profile of a user who is in any room.
    pub fn profile(&self, user: UserId) -> Option<Arc<Profile>> {
        self.state.registry.profile(user)
    }

    /// Whether `join` would take one more connection at this moment.
    pub fn has_room_for(&self, max_connections: Option<usize>) -> bool {
        self.state.registry.is_accepting()
            && max_connections.is_none_or(|limit| self.connection_count() < limit)
    }

    /// Connections that have joined and not left.
    pub fn connection_count(&self) -> usize {
        self.state.registry.connection_count()
    }

    /// Read this before deciding an access, compare after joining: if it changed
    /// in between, decide again.
    pub fn access_version(&self) -> AccessVersion {
        AccessVersion(self.state.access_version.load(Ordering::SeqCst))
    }

    /// A user's name changed: the next messages carry it.
    pub fn update_profile(&self, profile: Profile) {
        self.tell_all(|| Notice::UpdateProfile(profile.clone()));
        self.profile_changed(profile);
    }

    pub(crate) fn profile_changed(&self, profile: Profile) {
        self.access_changed();
        self.state.registry.update_profile(profile);
    }

    /// Closes one connection to a room.
    pub fn revoke_connection(&self, connection: ConnectionRef) {
        self.close(connection, DisconnectReason::AccessRevoked);
    }

    /// Closes all connections of a user.
    pub fn revoke_user(&self, user: UserId) {
        self.tell_all(|| Notice::RevokeUser(user));
        self.revoke(Selector::User(user));
    }

    /// Closes the connections of a user to one room.
    pub fn revoke_user_in_room(&self, user: UserId, room: RoomId) {
        self.tell_all(|| Notice::RevokeUserInRoom(user, room));
        self.revoke(Selector::UserInRoom(user, room));
    }

    /// Closes the connections to a room of everybody but these users.
    pub fn revoke_room_except(&self, room: RoomId, allowed: HashSet<UserId>) {
        self.tell_all(|| Notice::RevokeRoomExcept(room, allowed.clone()));
        self.revoke(Selector::RoomExcept(room, Arc::new(allowed)));
    }

    pub(crate) fn revoke(&self, selector: Selector) {
        self.access_changed();
        self.send_to_all(|| Command::Revoke(selector.clone()));
    }

    /// Closes the connections to rooms whose time has come, see
    /// [`Connection::expire_after`](crate::Connection::expire_after).
    pub fn disconnect_expired(&self) {
        let now = Instant::now();
        self.send_to_all(|| Command::Expire(now));
    }

    fn send_to_all(&self, command: impl Fn() -> Command) {
        for shard in 0..self.state.registry.shard_count() {
            self.state.registry.send(shard, command());
        }
    }

    fn access_changed(&self) {
        self.state.access_version.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes no more connections, and closes those that are there with 1012, one after
    /// the other over `spread`, so that they do not all come back at once; until its
    /// turn each goes on as before. Done when the last one has been told.
    pub async fn dismiss(&self, spread: Duration) {
        let registry = &self.state.registry;
        registry.stop_accepting();
        let dismiss = |done| Command::Dismiss { spread, done };
        let mut ends = Vec::new();
        for shard in 0..registry.shard_count() {
            let (done, end) = oneshot::channel();
            registry.send(shard, dismiss(done));
            ends.push(end);
        }
        for end in ends {
            // An error means that the shard has ended already.
            let _ = end.await;
        }
    }

    /// Closes every connection with 1012, lets the peers take what is queued for
    /// at most `patience`, and ends the threads. Twice is fine.
    pub async fn shut_down(&self, patience: Duration) {
        let registry = &self.state.registry;
        registry.stop_accepting();
        registry.write_everything();
        let mut ends = Vec::new();
        for shard in 0..registry.shard_count() {
            let (done, end) = oneshot::channel();
            registry.send(shard, Command::Shutdown { patience, done });
            ends.push(end);
        }
        for end in ends {
            // An error means that the shard has ended already.
            let _ = end.await;
        }
        let threads = std::mem::take(
            &mut *self
                .state
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a socket thread ended with a panic");
            }
        }
    }
}
