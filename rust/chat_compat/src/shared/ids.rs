//! Public ids, in the forms clients of each system know.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::CompatError;

/// Makes ids that look like MongoDB's ObjectId: 24 hex characters of 4 bytes time in
/// seconds, 5 random bytes of the process and a counter of 3. They sort by time.
#[derive(Debug)]
pub(crate) struct ObjectIds {
    process: [u8; 5],
    next: AtomicU32,
}

impl ObjectIds {
    /// # Errors
    /// `Internal` if the system has no randomness.
    pub(crate) fn new() -> Result<Self, CompatError> {
        let mut random = [0; 8];
        fill(&mut random)?;
        let [a, b, c, d, e, counter @ ..] = random;
        Ok(Self {
            process: [a, b, c, d, e],
            next: AtomicU32::new(u32::from_be_bytes([0, counter[0], counter[1], counter[2]])),
        })
    }

    pub(crate) fn make(&self, now: DateTime<Utc>) -> String {
        let [_, counter @ ..] = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        // The lower 32 bits, which last until 2106.
        let [_, _, _, _, seconds @ ..] = now.timestamp().to_be_bytes();
        let mut id = String::with_capacity(24);
        for byte in seconds.iter().chain(&self.process).chain(&counter) {
            // Writing into a string cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    }
}

/// 20 characters that are read aloud and pasted, and that nobody can guess (119 bits).
///
/// # Errors
/// `Internal` if the system has no randomness.
pub(crate) fn meeting_id() -> Result<String, CompatError> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut id = String::with_capacity(20);
    while id.len() < 20 {
        let mut random = [0; 32];
        fill(&mut random)?;
        // Of the 64 values of six bits two stand for nothing.
        let characters = random
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte % 64)));
        id.extend(characters.take(20 - id.len()).map(|byte| char::from(*byte)));
    }
    Ok(id)
}

/// A random UUID (version 4) in lower case.
pub(crate) fn uuid() -> String {
    Uuid::new_v4().to_string()
}

fn fill(bytes: &mut [u8]) -> Result<(), CompatError> {
    getrandom::fill(bytes).map_err(|error| CompatError::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_sort_by_time_and_differ() {
        let ids = ObjectIds {
            process: [1, 2, 3, 4, 0xff],
            next: AtomicU32::new(0x00ab_cdef),
        };
        let time: DateTime<Utc> = "2026-11-21T00:00:00.9Z".parse().expect("a time");
        assert_eq!(ids.make(time), "6b00df0001020304ffabcdef");
        let (one, two) = (ids.make(time), ids.make(time));
        assert!(one < two);
        assert_eq!(one.len(), 24);
    }

    #[test]
    fn meeting_ids_are_plain_characters() {
        let id = meeting_id().expect("randomness");
        assert_eq!(id.len(), 20);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(id, meeting_id().expect("randomness"));
    }
}
