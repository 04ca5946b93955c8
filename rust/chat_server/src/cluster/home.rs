//! Which of the processes does what one has to do: who holds a lock of the database.

use std::time::Duration;

use chat_cluster::NodeId;
use chat_database::{Claim, Database};
use chat_relay::Home;
use tokio::sync::mpsc;

/// Between two attempts, while the database is away.
const RETRY: Duration = Duration::from_secs(1);

/// Says whenever this process begins to be the one (true), or ends to be; runs until it
/// is dropped.
pub(super) async fn claim(database: Database, held: mpsc::UnboundedSender<bool>) {
    loop {
        match database.acquire_instance_lock(Claim::Home).await {
            Ok(lock) => {
                let _ = held.send(true);
                let reason = lock.lost().await;
                tracing::warn!(reason, "the sibling systems live at another process now");
                let _ = held.send(false);
            }
            Err(error) => {
                tracing::debug!(error = error.report(), "the home cannot be claimed now");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// What this process believes about it.
#[derive(Debug, Default)]
pub(super) struct HomeView {
    is_held: bool,
    /// Who has said so last, if it is still there.
    other: Option<NodeId>,
}

impl HomeView {
    pub(super) fn current(&self) -> Home {
        match (self.is_held, self.other) {
            (true, _) => Home::This,
            (false, Some(node)) => Home::Other(node),
            (false, None) => Home::Unknown,
        }
    }

    pub(super) fn held(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Another process says that it is. True if it has to be told that it is not: it does
    /// not know yet that it has lost the lock, and others may believe it.
    pub(super) fn announced(&mut self, node: NodeId) -> bool {
        self.other = Some(node);
        self.is_held
    }

    pub(super) fn gone(&mut self, node: NodeId) {
        self.other.take_if(|other| *other == node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_lock_is_not_misled() {
        let [old, new] = [1, 2].map(|number| NodeId::from_bytes([number; 16]));
        let mut view = HomeView::default();
        assert_eq!(view.current(), Home::Unknown);
        assert!(!view.announced(old));
        assert_eq!(view.current(), Home::Other(old));
        view.held(true);
        assert_eq!(view.current(), Home::This);
        assert!(view.announced(old), "it is told");
        view.gone(old);
        assert_eq!(view.current(), Home::This);
        view.held(false);
        assert_eq!(view.current(), Home::Unknown);
        assert!(!view.announced(new));
        view.gone(old);
        assert_eq!(view.current(), Home::Other(new));
        view.gone(new);
        assert_eq!(view.current(), Home::Unknown);
    }
}
