//! How many uploads one user may have under way. Each holds a file and some
//! hundred kilobytes, however slowly it comes; further ones wait unread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use chat_protocol::ids::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MAX_UPLOADS: usize = 20;
/// Users to remember before those without uploads are forgotten.
const MAX_IDLE_USERS: usize = 1024;

/// One count per user.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    users: Mutex<HashMap<UserId, Weak<Semaphore>>>,
}

impl Allowance {
    /// Waits until the user may upload something; the place is free again when
    /// the permit is dropped. None never comes.
    pub(super) async fn acquire(&self, user: UserId) -> Option<OwnedSemaphorePermit> {
        self.semaphore(user).acquire_owned().await.ok()
    }

    fn semaphore(&self, user: UserId) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = users.get(&user).and_then(Weak::upgrade) {
            return semaphore;
        }
        if users.len() >= MAX_IDLE_USERS {
            users.retain(|_, semaphore| semaphore.strong_count() > 0);
        }
        let semaphore = Arc::new(Semaphore::new(MAX_UPLOADS));
        users.insert(user, Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_user_waits_for_a_place_and_nobody_else_does() {
        let allowance = Allowance::default();
        let mut permits = Vec::new();
        for _ in 0..MAX_UPLOADS {
            permits.push(allowance.acquire(UserId(1)).await.expect("a permit"));
        }
        assert!(allowance.acquire(UserId(1)).now_or_never().is_none());
        assert!(allowance.acquire(UserId(2)).now_or_never().is_some());
        permits.pop();
        assert!(allowance.acquire(UserId(1)).now_or_never().is_some());
    }
}
