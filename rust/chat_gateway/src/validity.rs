//! How long a connection may go on with the token that it has shown.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    max_age: Option<Duration>,
}

impl Validity {
    pub(crate) fn new(max_age: Option<Duration>) -> Self {
        Self { max_age }
    }

    /// For a token that is shown now. None: for ever.
    pub(crate) fn end(self, token_expires: SystemTime) -> Option<Instant> {
        let max_age = self.max_age?;
        let left = token_expires.duration_since(SystemTime::now());
        Some(Instant::now() + left.unwrap_or_default().min(max_age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_ends_with_its_token_or_before() {
        const MINUTE: Duration = Duration::from_secs(60);
        let in_a_minute = SystemTime::now() + MINUTE;
        let left = |max_age| {
            let end = Validity::new(max_age).end(in_a_minute);
            end.map(|end| end.saturating_duration_since(Instant::now()))
        };
        assert_eq!(left(None), None);
        let long = left(Some(10 * MINUTE)).expect("an end");
        assert!(long > MINUTE / 2 && long <= MINUTE, "{long:?}");
        let short = left(Some(MINUTE / 4)).expect("an end");
        assert!(short <= MINUTE / 4, "{short:?}");
        let over = Validity::new(Some(MINUTE)).end(SystemTime::UNIX_EPOCH);
        assert!(over.is_some_and(|end| end <= Instant::now()));
    }
}
