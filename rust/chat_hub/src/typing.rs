//! Who is typing in a room, and until when that is believed.
//!
//! Pure state, one entry per user who types. A client that vanishes, or forgets to
//! say that it has stopped, is not believed for ever.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chat_protocol::ids::UserId;

use crate::sync::Instant;

/// How long a user is believed to type who does not say so again.
const LIFETIME: Duration = Duration::from_secs(6);

#[derive(Debug, Default)]
pub(crate) struct Typists {
    until: HashMap<UserId, Instant>,
    ends: BTreeSet<(Instant, UserId)>,
}

impl Typists {
    /// Notes that a user types, or does not.
    pub(crate) fn note(&mut self, user: UserId, is_typing: bool, now: Instant) {
        self.remove(user);
        if is_typing {
            let end = now + LIFETIME;
            self.until.insert(user, end);
            self.ends.insert((end, user));
        }
    }

    /// Forgets a user; true if the user was believed to type.
    pub(crate) fn remove(&mut self, user: UserId) -> bool {
        let end = self.until.remove(&user);
        end.is_some_and(|end| self.ends.remove(&(end, user)))
    }

    /// When the first one is no longer believed.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Forgets those who are no longer believed.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<UserId> {
        let mut expired = Vec::new();
        while let Some((end, user)) = self.ends.first().copied()
            && end <= now
        {
            self.ends.pop_first();
            self.until.remove(&user);
            expired.push(user);
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_not_say_it_again_is_not_believed_for_ever() {
        let mut typists = Typists::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        typists.note(UserId(1), true, start);
        typists.note(UserId(2), true, start);
        typists.note(UserId(3), true, after(1));
        typists.note(UserId(1), true, after(4));
        typists.note(UserId(3), false, after(4));
        assert_eq!(typists.next_end(), Some(after(6)));
        assert_eq!(typists.expire(after(5)), []);
        assert_eq!(typists.expire(after(6)), [UserId(2)]);
        assert!(!typists.remove(UserId(2)));
        assert_eq!(typists.next_end(), Some(after(10)));
        assert_eq!(typists.expire(after(60)), [UserId(1)]);
        assert_eq!(typists.next_end(), None);
        typists.note(UserId(1), true, start);
        assert!(typists.remove(UserId(1)));
        assert!(typists.until.is_empty() && typists.ends.is_empty());
    }
}
