//! One client in one namespace, as faces see it.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use chat_hub::{ConnectionRef, Frames, Hub};
use tokio::sync::oneshot;

use crate::engine::conversation::SERVER_CLOSE;
use crate::engine::request::Handshake;
use crate::namespace::Namespace;
use crate::packet;
use crate::payload::Payload;

/// Acknowledgements that may be awaited from one client.
const MAX_PENDING_ACKS: usize = 256;

/// A client in a namespace. Cheap to clone; usable from any thread, also after its
/// end, when everything is done to nobody.
#[derive(Clone)]
pub struct Socket {
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    hub: Hub,
    namespace: Namespace,
    /// The name of the namespace as the client writes it.
    spelling: String,
    connection: ConnectionRef,
    handshake: Arc<Handshake>,
    is_connected: AtomicBool,
    rooms: Mutex<HashSet<String>>,
    pending: Mutex<PendingAcks>,
    data: OnceLock<Box<dyn Any + Send + Sync>>,
}

#[derive(Default)]
struct PendingAcks {
    next: i64,
    waiting: HashMap<i64, oneshot::Sender<Payload>>,
}

/// Why there is no acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    #[error("the client did not answer in time")]
    Timeout,
    #[error("the client is gone")]
    Disconnected,
    #[error("too many answers of this client are awaited")]
    TooMany,
}

impl Socket {
    pub(crate) fn new(
        id: String,
        hub: Hub,
        namespace: Namespace,
        spelling: String,
        connection: ConnectionRef,
        handshake: Arc<Handshake>,
    ) -> Self {
        let shared = Arc::new(Shared {
            id,
            hub,
            namespace,
            spelling,
            connection,
            handshake,
            is_connected: AtomicBool::new(true),
            rooms: Mutex::default(),
            pending: Mutex::default(),
            data: OnceLock::new(),
        });
        Self { shared }
    }

    /// 20 characters, known to the client.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    pub fn namespace(&self) -> &Namespace {
        &self.shared.namespace
    }

    pub fn handshake(&self) -> &Handshake {
        &self.shared.handshake
    }

    /// False from the moment either side has ended it.
    pub fn is_connected(&self) -> bool {
        self.shared.is_connected.load(Ordering::Acquire)
    }

    /// Keeps what a face knows about this client; the first call counts.
    pub fn set_data<T: Send + Sync + 'static>(&self, data: T) {
        let _ = self.shared.data.set(Box::new(data));
    }

    /// What `set_data` has kept.
    pub fn data<T: 'static>(&self) -> Option<&T> {
        self.shared.data.get()?.downcast_ref()
    }

    /// Emits to this client alone.
    pub fn emit(&self, event: &str, payload: &Payload) {
        self.send(|spelling| packet::event(spelling, None, event, payload));
    }

    /// Emits and waits for the answer.
    ///
    /// # Errors
    /// If there is none in time, or can be none.
    pub async fn emit_with_ack(
        &self,
        event: &str,
        payload: &Payload,
        timeout: Duration,
    ) -> Result<Payload, AckError> {
        let (id, answer) = {
            let mut pending = self.pending();
            pending.waiting.retain(|_, waiting| !waiting.is_closed());
            if pending.waiting.len() >= MAX_PENDING_ACKS {
                return Err(AckError::TooMany);
            }
            if !self.is_connected() {
                return Err(AckError::Disconnected);
            }
            let (sender, answer) = oneshot::channel();
            let id = pending.next;
            pending.next += 1;
            pending.waiting.insert(id, sender);
            (id, answer)
        };
        self.send(|spelling| packet::event(spelling, Some(id), event, payload));
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(AckError::Disconnected),
            Err(_) => Err(AckError::Timeout),
        }
    }

    /// Enters a room of the namespace.
    pub fn join(&self, room: &str) {
        let mut rooms = self.rooms();
        if self.is_connected() && rooms.insert(room.to_owned()) {
            let topic = self.shared.namespace.topic(&self.shared.spelling, room);
            self.shared.hub.subscribe(self.shared.connection, &topic);
        }
    }

    /// Leaves a room.
    pub fn leave(&self, room: &str) {
        if self.rooms().remove(room) {
            self.unsubscribe(room);
        }
    }

    /// Whether it is in the room.
    pub fn is_in(&self, room: &str) -> bool {
        self.rooms().contains(room)
    }

    /// Takes the client out of the namespace and tells it so. The face that calls
    /// this knows: `Face::disconnected` is not called.
    pub fn disconnect(&self) {
        self.send(|spelling| packet::disconnected(spelling).into());
        self.end();
    }

    /// Ends the whole connection of the client, with its sockets in all namespaces;
    /// for each of them that is still connected `Face::disconnected` is called.
    pub fn close_connection(&self) {
        self.shared.hub.close(self.shared.connection, SERVER_CLOSE);
    }

    pub(crate) fn connection(&self) -> ConnectionRef {
        self.shared.connection
    }

    /// Ends it without a word; false if it has ended before.
    pub(crate) fn end(&self) -> bool {
        // Under the lock of `join`, so that none comes behind.
        let rooms = {
            let mut rooms = self.rooms();
            if !self.shared.is_connected.swap(false, Ordering::AcqRel) {
                return false;
            }
            std::mem::take(&mut *rooms)
        };
        for room in rooms {
            self.unsubscribe(&room);
        }
        self.pending().waiting.clear();
        true
    }

    pub(crate) fn send_connected(&self) {
        self.send(|spelling| packet::connected(spelling, self.id()).into());
    }

    pub(crate) fn answered(&self, id: i64, payload: Payload) {
        // An answer that nobody awaits is nothing worth an end, as with the reference.
        if let Some(waiting) = self.pending().waiting.remove(&id) {
            let _ = waiting.send(payload);
        }
    }

    pub(crate) fn send(&self, frames: impl FnOnce(&str) -> Frames) {
        if self.is_connected() {
            let frames = frames(&self.shared.spelling);
            self.shared.hub.send(self.shared.connection, frames);
        }
    }

    fn unsubscribe(&self, room: &str) {
        let topic = self.shared.namespace.topic(&self.shared.spelling, room);
        self.shared.hub.unsubscribe(self.shared.connection, &topic);
    }

    fn rooms(&self) -> MutexGuard<'_, HashSet<String>> {
        // No code that can panic runs under the lock.
        let rooms = &self.shared.rooms;
        rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, PendingAcks> {
        let pending = &self.shared.pending;
        pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Socket")
            .field("id", &self.shared.id)
            .field("namespace", &self.shared.spelling)
            .finish_non_exhaustive()
    }
}
