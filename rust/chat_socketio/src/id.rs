//! Ids of sessions and sockets: 120 random bits as 20 characters, like the
//! reference server's. A session's id is what entitles to it, so it must not be
//! guessable.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// A new id.
///
/// # Errors
/// If the system gives no random numbers.
pub(crate) fn new_id() -> Result<String, getrandom::Error> {
    let mut random = [0; 15];
    getrandom::fill(&mut random)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_twenty_characters_and_differ() {
        let (one, other) = (new_id().expect("an id"), new_id().expect("an id"));
        assert_eq!(one.len(), 20);
        assert_ne!(one, other);
    }
}
