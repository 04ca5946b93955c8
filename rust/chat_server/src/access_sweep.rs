//! Looks, every few seconds, whether everybody who is connected may still be.
//!
//! Changes through the service reach the sockets at once. This is for those that
//! go around it: an operator who locks an account or removes a membership in the
//! database, or a process of the original on the same database.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::chat::Chat;

/// A fixed number of queries each time, whatever the number of sockets.
const INTERVAL: Duration = Duration::from_secs(5);

/// Runs until it is dropped.
pub(crate) async fn run(chat: Arc<Chat>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let presences = chat.hub.presences();
        if presences.is_empty() {
            continue;
        }
        match chat.database.find_lost_access(presences).await {
            Ok(lost) => {
                for (user, room) in lost {
                    chat.hub.revoke_user_in_room(user, room);
                }
            }
            // The next round finds what this one could not.
            Err(error) => {
                tracing::debug!(error = error.report(), "open sockets could not be checked")
            }
        }
    }
}
