//! What every connected client of the system is told.
//!
//! A change is stored and announced under one lock, so announcements come in the
//! order of the changes; and before the answer to the request, so that for the
//! client that asked the answer, which has the token, comes last. No announcement
//! carries a token.

use std::fmt;
use std::sync::OnceLock;

use serde::Serialize;
use serde_json::value::{self, RawValue};
use tokio::sync::Mutex;

use crate::shared::BoxFuture;

/// Gets an event's name and its one argument.
type Listener = Box<dyn Fn(&'static str, Box<RawValue>) + Send + Sync>;

#[derive(Default)]
pub(super) struct Announcements {
    one_change_at_a_time: Mutex<()>,
    listener: OnceLock<Listener>,
}

/// The object of an announcement as its JSON text, keys in their order.
pub(super) fn to_raw(data: &impl Serialize) -> Box<RawValue> {
    // Plain data with string keys: there is nothing that can fail.
    value::to_raw_value(data).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[derive(Serialize)]
struct Argument {
    data: Box<RawValue>,
}

impl Announcements {
    /// Makes a change and announces what `news` finds in its outcome.
    ///
    /// # Cancel safety
    /// Not safe: a change may be left without its announcement.
    pub(super) async fn change<T, E>(
        &self,
        event: &'static str,
        change: BoxFuture<'_, Result<T, E>>,
        news: impl FnOnce(&T) -> Option<Box<RawValue>>,
    ) -> Result<T, E> {
        let _order = self.one_change_at_a_time.lock().await;
        let outcome = change.await?;
        if let (Some(listener), Some(data)) = (self.listener.get(), news(&outcome)) {
            listener(event, to_raw(&Argument { data }));
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
