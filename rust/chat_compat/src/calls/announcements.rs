//! What every connected client of the system is told.
//!
//! A change is stored and announced under one lock, so announcements come in the
//! order of the changes; and before the answer to the request, so that for the
//! client that asked the answer, which has the token, comes last. No announcement
//! carries a token.

use std::fmt;

use chat_socketio::Namespace;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::socket::emit_to_listeners;
use crate::shared::BoxFuture;

pub(super) struct Announcements {
    one_change_at_a_time: Mutex<()>,
    namespaces: Vec<Namespace>,
}

/// The object of an announcement.
pub(super) fn to_data(data: &impl Serialize) -> Value {
    // Plain data with string keys: there is nothing that can fail.
    serde_json::to_value(data).unwrap_or_default()
}

impl Announcements {
    pub(super) fn new(namespaces: Vec<Namespace>) -> Self {
        Self {
            one_change_at_a_time: Mutex::default(),
            namespaces,
        }
    }

    /// Makes a change and announces what `news` finds in its outcome.
    ///
    /// # Cancel safety
    /// Not safe: a change may be left without its announcement.
    pub(super) async fn change<T, E>(
        &self,
        event: &'static str,
        change: BoxFuture<'_, Result<T, E>>,
        news: impl FnOnce(&T) -> Option<Value>,
    ) -> Result<T, E> {
        let order = self.one_change_at_a_time.lock().await;
        let outcome = change.await?;
        let Some(data) = news(&outcome) else {
            return Ok(outcome);
        };
        emit_to_listeners(&self.namespaces, event, json!({ "data": data }));
        drop(order);
        // All namespaces are of one hub, which writes for all of them.
        if let Some(namespace) = self.namespaces.first() {
            namespace.written().await;
        }
        Ok(outcome)
    }
}

impl fmt::Debug for Announcements {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Announcements")
            .finish_non_exhaustive()
    }
}
