//! A session as the requests of its client see it.
//!
//! Requests come on any thread; the session itself runs on its shard. What they
//! share is the output that a GET takes (the connection's first link), the way in
//! for packets, and the phase, which says what a request may still do.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use chat_hub::{BridgeOutput, ConnectionRef};
use engineioxide_core::Packet;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::engine::answer::{EngineError, HttpAnswer};
use crate::engine::payload;
use crate::engine::upgrade::Candidate;

/// POSTs that may wait for the session.
const INPUT_BODIES: usize = 4;
/// How long a GET waits at most. A server in front that stops waits for its requests
/// to end before it tells anybody.
const LONGEST_POLL: Duration = Duration::from_secs(5);
/// How long a GET waits for an upgrade that is under way before it is released:
/// as long as the reference server takes for it.
const UPGRADE_POLL_WAIT: Duration = Duration::from_millis(100);

const CLOSE: u8 = b'1';
const NOOP: u8 = b'6';

/// What reaches a session that polls.
#[derive(Debug)]
pub(crate) enum Incoming {
    Packets(Vec<Packet>),
    /// A WebSocket that wants to take over; it is probed first.
    Probe(Box<Candidate>),
    /// A WebSocket that has been probed and takes over now.
    Upgrade(Box<Candidate>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Polling,
    /// It polls, and a WebSocket is being probed.
    Probing,
    /// It has a WebSocket; it does not poll any more.
    WebSocket,
    Ended {
        by_client: bool,
    },
}

/// What the requests of a session and the session share.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub(crate) output: Arc<BridgeOutput>,
    pub(crate) incoming: mpsc::Sender<Incoming>,
    connection: OnceLock<ConnectionRef>,
    requests: Mutex<Requests>,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Requests {
    phase: Phase,
    get_waits: bool,
    post_waits: bool,
}

/// Why a request cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    Refused(EngineError),
    /// There is one already: that ends the session.
    Overlap,
}

impl SessionState {
    /// A session that polls, and where its input arrives.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Incoming>) {
        let changed = Arc::new(Notify::new());
        let wake_up = Arc::clone(&changed);
        let (incoming, receiver) = mpsc::channel(INPUT_BODIES);
        let state = Self {
            output: Arc::new(BridgeOutput::new(move || wake_up.notify_one())),
            incoming,
            connection: OnceLock::new(),
            requests: Mutex::new(Requests {
                phase: Phase::Polling,
                get_waits: false,
                post_waits: false,
            }),
            changed,
        };
        (state, receiver)
    }

    pub(crate) fn set_connection(&self, connection: ConnectionRef) {
        // Set once, when the connection is attached.
        let _ = self.connection.set(connection);
    }

    /// None for the moment before it is attached.
    pub(crate) fn connection(&self) -> Option<ConnectionRef> {
        self.connection.get().copied()
    }

    /// Begins to probe a WebSocket; false if there can be none now.
    pub(crate) fn begin_probe(&self) -> bool {
        self.change_phase(Phase::Polling, Phase::Probing)
    }

    pub(crate) fn probe_failed(&self) {
        self.change_phase(Phase::Probing, Phase::Polling);
    }

    /// The probed WebSocket takes over; false if the session has ended meanwhile.
    pub(crate) fn upgraded(&self) -> bool {
        self.change_phase(Phase::Probing, Phase::WebSocket)
    }

    fn change_phase(&self, from: Phase, to: Phase) -> bool {
        let mut requests = self.lock();
        let changes = requests.phase == from;
        if changes {
            requests.phase = to;
            drop(requests);
            self.changed.notify_one();
        }
        changes
    }

    pub(crate) fn end(&self, by_client: bool) {
        self.lock().phase = Phase::Ended { by_client };
        self.changed.notify_one();
    }

    /// Serves a GET: waits until there is something to send.
    pub(crate) async fn poll(&self) -> Result<HttpAnswer, RequestError> {
        let begun_in = {
            let mut requests = self.lock();
            self.serves(requests.phase)?;
            if requests.get_waits {
                return Err(RequestError::Overlap);
            }
            requests.get_waits = true;
            requests.phase
        };
        let _waiting = Waiting(self, |requests| requests.get_waits = false);
        let begun = Instant::now();
        loop {
            let batch = self.output.take();
            if batch.close.is_some() || !batch.frames.is_empty() {
                let mut body = payload::encode(&batch.frames);
                if batch.close.is_some() {
                    payload::append(&mut body, CLOSE);
                }
                return Ok(HttpAnswer::packets(body));
            }
            let released = || Ok(HttpAnswer::packets(vec![NOOP]));
            match self.phase() {
                // It was there before the probe: the client waits for its end.
                Phase::Probing if begun_in == Phase::Polling => return released(),
                phase @ (Phase::Polling | Phase::Probing) => {
                    let patience = if phase == Phase::Polling {
                        LONGEST_POLL
                    } else {
                        UPGRADE_POLL_WAIT
                    };
                    let changed = self.changed.notified();
                    let changed = tokio::time::timeout_at(begun + patience, changed);
                    if changed.await.is_err() {
                        return released();
                    }
                }
                Phase::WebSocket => return Err(RequestError::Refused(EngineError::BadRequest)),
                Phase::Ended { by_client: true } => return released(),
                Phase::Ended { by_client: false } => {
                    return Err(RequestError::Refused(EngineError::UnknownSession));
                }
            }
        }
    }

    /// Hands the packets of a POST to the session; waits while it is behind.
    pub(crate) async fn push(&self, packets: Vec<Packet>) -> Result<(), RequestError> {
        {
            let mut requests = self.lock();
            self.serves(requests.phase)?;
            if requests.post_waits {
                return Err(RequestError::Overlap);
            }
            requests.post_waits = true;
        }
        let _waiting = Waiting(self, |requests| requests.post_waits = false);
        self.incoming
            .send(Incoming::Packets(packets))
            .await
            .map_err(|_| RequestError::Refused(EngineError::UnknownSession))
    }

    pub(crate) fn serves(&self, phase: Phase) -> Result<(), RequestError> {
        match phase {
            Phase::Polling | Phase::Probing => Ok(()),
            Phase::WebSocket => Err(RequestError::Refused(EngineError::BadRequest)),
            Phase::Ended { .. } => Err(RequestError::Refused(EngineError::UnknownSession)),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.lock().phase
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        // No code that can panic runs under the lock.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a mark back when its request is done, however it ends.
struct Waiting<'a>(&'a SessionState, fn(&mut Requests));

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        (self.1)(&mut self.0.lock());
    }
}
