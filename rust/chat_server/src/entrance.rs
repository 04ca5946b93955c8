//! Decides handshakes, all that wait at once by one look-up.
//!
//! While one look-up is under way, the next handshakes gather, and after one that
//! decided several a moment longer; one that comes alone is looked up at once. So
//! thousands of sockets that come back together cost some hundred queries, and
//! nothing has to be kept and invalidated: each decision is by what the database
//! said after the handshake arrived.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chat_database::{Database, DatabaseError, RoomAccess, User};
use chat_protocol::Position;
use chat_protocol::ids::RoomId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::accounts::{Bearer, Identity};
use crate::error::ServiceError;

/// How many handshakes may wait; more wait outside.
const QUEUE_LENGTH: usize = 4096;
/// How many share a look-up. More gain nothing and delay the first.
const GROUP_LENGTH: usize = 256;
/// From the beginning of a look-up for several to the next one, however fast the
/// database is: the server in front brings up to ten handshakes per millisecond.
const STORM_GAP: Duration = Duration::from_millis(5);
/// The next group must not wait for ever behind a server that hangs.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// What was found for a handshake.
type Entry = (Option<User>, Option<RoomAccess>);

struct Pending {
    name: String,
    room: RoomId,
    /// None if nothing could be looked up.
    found: oneshot::Sender<Option<(Entry, Position)>>,
}

/// Its task ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Entrance {
    queue: mpsc::Sender<Pending>,
}

impl Entrance {
    /// Starts the task, on the current tokio runtime. How far a room has come is only
    /// looked up where other processes publish in it too.
    pub(crate) fn open(database: Database, has_peers: bool) -> Self {
        let (queue, pending) = mpsc::channel(QUEUE_LENGTH);
        tokio::spawn(run(database, has_peers, pending));
        Self { queue }
    }

    /// Whether the bearer may enter the room.
    ///
    /// # Errors
    /// Those of `Chat::authenticate`, `RoomNotFound`, `RoomAccessDenied`.
    pub(crate) async fn decide(
        &self,
        bearer: &Bearer,
        room: RoomId,
    ) -> Result<(Identity, RoomAccess, Position), ServiceError> {
        let (found, answer) = oneshot::channel();
        let pending = Pending {
            name: bearer.name().to_owned(),
            room,
            found,
        };
        // A task that has ended drops the sender of the answer.
        let _ = self.queue.send(pending).await;
        let entry = answer.await.ok().flatten();
        let ((user, access), newest) = entry.ok_or(ServiceError::NotRunning)?;
        let identity = bearer.prove(user)?;
        let access = access.ok_or(DatabaseError::RoomNotFound)?;
        if access.allows(identity.user_id()) {
            Ok((identity, access, newest))
        } else {
            Err(ServiceError::RoomAccessDenied)
        }
    }
}

async fn run(database: Database, has_peers: bool, mut queue: mpsc::Receiver<Pending>) {
    let mut group = Vec::with_capacity(GROUP_LENGTH);
    while queue.recv_many(&mut group, GROUP_LENGTH).await > 0 {
        let gap_ends = Instant::now() + STORM_GAP;
        let is_storm = group.len() > 1;
        match look_up(&database, has_peers, &group).await {
            Some(entries) => {
                for (pending, entry) in group.drain(..).zip(entries) {
                    // Nobody waits any more if the client is gone.
                    let _ = pending.found.send(Some(entry));
                }
            }
            None => {
                // Whoever queued up meanwhile would only wait for the same
                // answer, the last of them for many timeouts in a row.
                while let Ok(pending) = queue.try_recv() {
                    group.push(pending);
                }
                for pending in group.drain(..) {
                    let _ = pending.found.send(None);
                }
            }
        }
        if is_storm {
            tokio::time::sleep_until(gap_ends).await;
        }
    }
}

async fn look_up(
    database: &Database,
    has_peers: bool,
    group: &[Pending],
) -> Option<Vec<(Entry, Position)>> {
    let wanted = group
        .iter()
        .map(|pending| (pending.name.clone(), pending.room))
        .collect();
    let handshakes = group.len();
    let look_up = async {
        let entries = database.find_entries(wanted).await?;
        let mut newest = HashMap::new();
        if has_peers {
            let rooms: HashSet<RoomId> = group.iter().map(|pending| pending.room).collect();
            let rooms: Vec<RoomId> = rooms.into_iter().collect();
            newest = database.find_newest_places(&rooms).await?;
        }
        let rooms = group.iter().map(|pending| pending.room);
        let newest = rooms.map(|room| newest.get(&room).copied().unwrap_or_default());
        Ok::<_, DatabaseError>(entries.into_iter().zip(newest).collect())
    };
    match tokio::time::timeout(LOOK_UP_TIMEOUT, look_up).await {
        Ok(Ok(entries)) => Some(entries),
        Ok(Err(error)) => {
            let error = error.report();
            tracing::warn!(error, handshakes, "handshakes could not be decided");
            None
        }
        Err(_) => {
            tracing::warn!(handshakes, "deciding handshakes took too long");
            None
        }
    }
}
