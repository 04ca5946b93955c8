//! The connections of a dialect, all of which end together when this process may not
//! serve them any more.
//!
//! A lock held for memory only, at the beginning and the end of each connection.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_hub::{Connection, ConnectionRef, DisconnectReason, Hub};

const REASON: DisconnectReason = DisconnectReason::ServiceRestart;

/// They are served until somebody says otherwise.
#[derive(Debug, Default)]
pub struct ServedConnections {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    connections: HashSet<ConnectionRef>,
}

/// A connection that is among them, until this is dropped.
#[derive(Debug)]
pub struct Served {
    all: Arc<ServedConnections>,
    connection: ConnectionRef,
}

impl ServedConnections {
    /// Counts a connection in, at the beginning of its session; ends it if none is served.
    #[must_use]
    pub fn enter(self: &Arc<Self>, connection: &Rc<Connection>) -> Served {
        let reference = connection.reference();
        let is_closed = {
            let mut state = self.lock();
            state.connections.insert(reference);
            state.is_closed
        };
        if is_closed {
            connection.disconnect(REASON);
        }
        Served {
            all: Arc::clone(self),
            connection: reference,
        }
    }

    /// Says whether they are served from now on; if not, ends those that are open and
    /// those that come.
    pub fn set_served(&self, hub: &Hub, is_served: bool) {
        let mut state = self.lock();
        state.is_closed = !is_served;
        if !is_served {
            for connection in &state.connections {
                hub.close(*connection, REASON);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.all.lock().connections.remove(&self.connection);
    }
}
