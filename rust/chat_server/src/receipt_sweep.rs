//! Forgets, from time to time, which messages senders have named long ago.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::chat::Chat;

const INTERVAL: Duration = Duration::from_secs(60);

/// Runs until it is dropped.
pub(crate) async fn run(chat: Arc<Chat>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while has_more(&chat).await {}
    }
}

async fn has_more(chat: &Chat) -> bool {
    chat.database
        .delete_expired_receipts()
        .await
        .unwrap_or_else(|error| {
            tracing::debug!(error = error.report(), "old receipts could not be deleted");
            false
        })
}
