//! How long a connection may go on with the token that it has shown.

use std::time::{Duration, SystemTime};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    max_age: Option<Duration>,
}

impl Validity {
    pub(crate) fn new(max_age: Option<Duration>) -> Self {
        Self { max_age }
    }

    /// For a token that is shown now. None: for ever.
    pub(crate) fn left(self, token_expires: SystemTime) -> Option<Duration> {
        let max_age = self.max_age?;
        let left = token_expires.duration_since(SystemTime::now());
        Some(left.unwrap_or_default().min(max_age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_ends_with_its_token_or_before() {
        const MINUTE: Duration = Duration::from_secs(60);
        let in_a_minute = SystemTime::now() + MINUTE;
        let left = |max_age| Validity::new(max_age).left(in_a_minute);
        assert_eq!(left(None), None);
        let long = left(Some(10 * MINUTE)).expect("an end");
        assert!(long > MINUTE / 2 && long <= MINUTE, "{long:?}");
        assert_eq!(left(Some(MINUTE / 4)), Some(MINUTE / 4));
        let over = Validity::new(Some(MINUTE)).left(SystemTime::UNIX_EPOCH);
        assert_eq!(over, Some(Duration::ZERO));
    }
}
