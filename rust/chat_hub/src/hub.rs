//! The hub: presence of all rooms, and the way to every shard.
//!
//! A room's entry in `rooms` is the lock under which its presence changes and
//! its frames are queued, so every shard gets them in the same order. Nothing
//! waits while it is held: shard queues are unbounded, and what flows into them
//! is bounded by permits (messages), by the number of connections (presence) or
//! is dropped when a queue is long (typing).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chat_protocol::ids::{RoomId, UserId};
use chat_protocol::{EncodedFrame, ServerFrame};
use chrono::Utc;
use dashmap::{DashMap, Entry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::connection::{ConnectionId, ConnectionRef, Delivery};
use crate::disconnect::DisconnectReason;
use crate::presence::{ConnectedUser, Profile, RoomPresence};
use crate::shard::{self, Attachment, Command, NewConnection, Publication, Selector};

/// Bytes of messages that may be between acceptance and the last shard's write.
const IN_FLIGHT_KIBIBYTES: u32 = 64 * 1024;
/// Commands waiting at a shard above which typing frames are dropped.
const LOSSY_QUEUE_LENGTH: usize = 4096;

/// How the hub is built.
#[derive(Clone, Copy, Debug)]
pub struct HubConfig {
    /// Threads that serve sockets; at least one.
    pub shards: usize,
    /// What may wait for one reader, in bytes; above it the reader is dropped.
    pub outbox_max_bytes: usize,
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

/// Room in the stream of messages; held until the last reader's shard has the message.
#[derive(Debug)]
pub struct PublishPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

/// A point in the history of permission changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessVersion(u64);

/// A cheap handle to the hub.
#[derive(Clone, Debug)]
pub struct Hub {
    state: Arc<HubState>,
}

pub(crate) struct HubState {
    config: HubConfig,
    rooms: DashMap<RoomId, RoomPresence>,
    users: DashMap<UserId, ConnectedUser>,
    shards: Vec<ShardHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    connections: AtomicUsize,
    next_connection: AtomicU64,
    access_version: AtomicU64,
    accepting: AtomicBool,
    in_flight: Arc<Semaphore>,
}

struct ShardHandle {
    queue: mpsc::UnboundedSender<Command>,
    queued: AtomicUsize,
}

impl Hub {
    /// Starts the shard threads.
    ///
    /// # Errors
    /// `HubError::Thread` if the system refuses a thread or its runtime.
    pub fn start(config: HubConfig) -> Result<Self, HubError> {
        let (shards, queues): (Vec<_>, Vec<_>) = (0..config.shards.max(1))
            .map(|_| {
                let (queue, commands) = mpsc::unbounded_channel();
                (
                    ShardHandle {
                        queue,
                        queued: AtomicUsize::new(0),
                    },
                    commands,
                )
            })
            .unzip();
        let state = Arc::new(HubState {
            config,
            rooms: DashMap::new(),
            users: DashMap::new(),
            shards,
            threads: Mutex::default(),
            connections: AtomicUsize::new(0),
            next_connection: AtomicU64::new(1),
            access_version: AtomicU64::new(0),
            accepting: AtomicBool::new(true),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_KIBIBYTES as usize)),
        });
        let mut threads = Vec::with_capacity(queues.len());
        for (index, commands) in queues.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(HubError::Thread)?;
            let hub = Arc::clone(&state);
            let thread = std::thread::Builder::new()
                .name(format!("chat-shard-{index}"))
                .spawn(move || {
                    tokio::task::LocalSet::new()
                        .block_on(&runtime, shard::run(index, hub, commands));
                })
                .map_err(HubError::Thread)?;
            threads.push(thread);
        }
        *state.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        Ok(Self { state })
    }

    /// Attaches a connection to a room. The others see `user_joined` if it is the
    /// user's first; the connection gets `welcome`, then `users_online`.
    ///
    /// # Errors
    /// `ShuttingDown`; `TooManyConnections` if `max_connections` are open.
    pub fn join(
        &self,
        profile: Arc<Profile>,
        room_id: RoomId,
        welcome: EncodedFrame,
        connection: NewConnection,
        max_connections: Option<usize>,
    ) -> Result<ConnectionRef, HubError> {
        let state = &self.state;
        if !state.accepting.load(Ordering::Acquire) {
            return Err(HubError::ShuttingDown);
        }
        let open = state.connections.fetch_add(1, Ordering::Relaxed);
        if max_connections.is_some_and(|limit| open >= limit) {
            state.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(HubError::TooManyConnections);
        }
        let id = ConnectionId(state.next_connection.fetch_add(1, Ordering::Relaxed));
        let shard = usize::try_from(id.0).unwrap_or(0) % state.shards.len();
        let user_id = profile.user_id;
        state
            .users
            .entry(user_id)
            .and_modify(|user| {
                user.connections += 1;
                user.profile = Arc::clone(&profile);
            })
            .or_insert_with(|| ConnectedUser {
                profile,
                connections: 1,
            });

        let mut room = state
            .rooms
            .entry(room_id)
            .or_insert_with(|| RoomPresence::new(state.shards.len()));
        let timestamp = Utc::now();
        if room.join(user_id, shard) {
            state.announce(
                room_id,
                &room,
                &ServerFrame::UserJoined { user_id, timestamp },
            );
        }
        let users: Vec<UserId> = room.users().collect();
        let users_online = ServerFrame::UsersOnline {
            users: &users,
            count: users.len(),
            timestamp,
        };
        let greeting = vec![welcome, users_online.encode()];
        let attachment = Attachment {
            id,
            user_id,
            room_id,
            connection,
            greeting,
        };
        state.send(shard, Command::Attach(Box::new(attachment)));
        Ok(ConnectionRef { id, shard })
    }

    /// Sends a frame to every reader of a room, in one order for all of them.
    pub fn publish(&self, room: RoomId, frame: EncodedFrame, permit: PublishPermit) {
        self.state.publish(Publication {
            room,
            delivery: Delivery {
                frame,
                lossy: false,
            },
            except: None,
            _permit: Some(permit),
        });
    }

    /// Sends a frame that may be lost to everybody in a room but one user.
    pub fn publish_lossy_except(&self, room: RoomId, frame: EncodedFrame, except: UserId) {
        let busy = |shard: &ShardHandle| shard.queued.load(Ordering::Relaxed) > LOSSY_QUEUE_LENGTH;
        if self.state.shards.iter().any(busy) {
            return;
        }
        let delivery = Delivery { frame, lossy: true };
        self.state.publish(Publication {
            room,
            delivery,
            except: Some(except),
            _permit: None,
        });
    }

    /// Waits for room for a message of that size in the stream of publications.
    pub async fn admit(&self, message_bytes: usize) -> PublishPermit {
        let kibibytes = u32::try_from(message_bytes / 1024 + 1)
            .unwrap_or(u32::MAX)
            .min(IN_FLIGHT_KIBIBYTES);
        // The semaphore is never closed; without a permit there is just no bound.
        let permit = Arc::clone(&self.state.in_flight)
            .acquire_many_owned(kibibytes)
            .await
            .ok();
        PublishPermit { _permit: permit }
    }

    /// Sends a frame to one connection, behind everything queued for it before.
    pub fn reply(&self, to: ConnectionRef, frame: EncodedFrame) {
        self.state
            .send(to.shard, Command::Reply { to: to.id, frame });
    }

    /// The users in a room in the order of their first connection.
    pub fn online_users(&self, room: RoomId) -> Vec<Arc<Profile>> {
        let users: Vec<UserId> = self
            .state
            .rooms
            .get(&room)
            .map(|room| room.users().collect())
            .unwrap_or_default();
        users
            .into_iter()
            .filter_map(|user| self.profile(user))
            .collect()
    }

    /// Everybody who is connected, with the room.
    pub fn presences(&self) -> Vec<(UserId, RoomId)> {
        let rooms = self.state.rooms.iter();
        rooms
            .flat_map(|room| {
                room.users()
                    .map(|user| (user, *room.key()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// The current profile of a user with at least one connection.
    pub fn profile(&self, user: UserId) -> Option<Arc<Profile>> {
        self.state
            .users
            .get(&user)
            .map(|user| Arc::clone(&user.profile))
    }

    /// Whether `join` would take one more connection at this moment.
    pub fn has_room_for(&self, max_connections: Option<usize>) -> bool {
        self.state.accepting.load(Ordering::Acquire)
            && max_connections.is_none_or(|limit| self.connection_count() < limit)
    }

    /// Connections that have joined and not left.
    pub fn connection_count(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Read this before deciding an access, compare after joining: if it changed
    /// in between, decide again.
    pub fn access_version(&self) -> AccessVersion {
        AccessVersion(self.state.access_version.load(Ordering::SeqCst))
    }

    /// A user's name changed: the next messages carry it.
    pub fn update_profile(&self, profile: Profile) {
        self.access_changed();
        if let Some(mut user) = self.state.users.get_mut(&profile.user_id) {
            user.profile = Arc::new(profile);
        }
    }

    /// Closes one connection.
    pub fn revoke_connection(&self, connection: ConnectionRef) {
        let selector = Selector::Connection(connection.id);
        let reason = DisconnectReason::AccessRevoked;
        self.state
            .send(connection.shard, Command::Disconnect { selector, reason });
    }

    /// Closes all connections of a user.
    pub fn revoke_user(&self, user: UserId) {
        self.revoke(&Selector::User(user));
    }

    /// Closes the connections of a user to one room.
    pub fn revoke_user_in_room(&self, user: UserId, room: RoomId) {
        self.revoke(&Selector::UserInRoom(user, room));
    }

    /// Closes the connections to a room of everybody but these users.
    pub fn revoke_room_except(&self, room: RoomId, allowed: HashSet<UserId>) {
        self.revoke(&Selector::RoomExcept(room, Arc::new(allowed)));
    }

    fn revoke(&self, selector: &Selector) {
        self.access_changed();
        for shard in 0..self.state.shards.len() {
            let command = Command::Disconnect {
                selector: selector.clone(),
                reason: DisconnectReason::AccessRevoked,
            };
            self.state.send(shard, command);
        }
    }

    fn access_changed(&self) {
        self.state.access_version.fetch_add(1, Ordering::SeqCst);
    }

    /// Closes every connection with 1012, lets the peers take what is queued for
    /// at most `patience`, and ends the threads. Twice is fine.
    pub async fn shut_down(&self, patience: Duration) {
        self.state.accepting.store(false, Ordering::Release);
        let mut ends = Vec::new();
        for shard in 0..self.state.shards.len() {
            let (done, end) = oneshot::channel();
            self.state.send(shard, Command::Shutdown { patience, done });
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

impl HubState {
    pub(crate) fn outbox_max_bytes(&self) -> usize {
        self.config.outbox_max_bytes
    }

    /// Counts a connection out and announces the user's leaving if it was the last.
    pub(crate) fn leave(&self, room_id: RoomId, user_id: UserId, shard: usize) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        if let Entry::Occupied(mut room) = self.rooms.entry(room_id) {
            // In a room that ends with the service nobody leaves: all go at once.
            if room.get_mut().leave(user_id, shard) && self.accepting.load(Ordering::Acquire) {
                let frame = ServerFrame::UserLeft {
                    user_id,
                    timestamp: Utc::now(),
                };
                self.announce(room_id, room.get(), &frame);
            }
            if room.get().is_empty() {
                room.remove();
            }
        }
        if let Entry::Occupied(mut user) = self.users.entry(user_id) {
            user.get_mut().connections -= 1;
            if user.get().connections == 0 {
                user.remove();
            }
        }
    }

    pub(crate) fn commands_taken(&self, shard: usize, count: usize) {
        self.shards[shard]
            .queued
            .fetch_sub(count, Ordering::Relaxed);
    }

    /// Queues a presence frame; the caller holds the room's entry.
    fn announce(&self, room: RoomId, presence: &RoomPresence, frame: &ServerFrame<'_>) {
        let delivery = Delivery {
            frame: frame.encode(),
            lossy: false,
        };
        self.distribute(
            presence,
            Publication {
                room,
                delivery,
                except: None,
                _permit: None,
            },
        );
    }

    fn publish(&self, publication: Publication) {
        // Exclusive access, although nothing is changed: two publications must
        // reach all shards in the same order.
        if let Some(presence) = self.rooms.get_mut(&publication.room) {
            self.distribute(&presence, publication);
        }
    }

    fn distribute(&self, presence: &RoomPresence, publication: Publication) {
        let publication = Arc::new(publication);
        for shard in presence.shards() {
            self.send(shard, Command::Publish(Arc::clone(&publication)));
        }
    }

    fn send(&self, shard: usize, command: Command) {
        let shard = &self.shards[shard];
        shard.queued.fetch_add(1, Ordering::Relaxed);
        // A shard that has ended has no connections that could miss anything.
        if shard.queue.send(command).is_err() {
            shard.queued.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for HubState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("HubState")
            .field("config", &self.config)
            .field("rooms", &self.rooms.len())
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
