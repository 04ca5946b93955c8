//! Tokens: only what the key has signed is one, and nothing of it can be changed.

use std::time::Duration;

use chat_auth::{Claims, TokenAlgorithm, TokenAuthority};
use secrecy::SecretString;

/// Seconds since the epoch, in the year 2100.
const FAR_AHEAD: u64 = 4_102_444_800;

pub(crate) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let secret = SecretString::from("no corpus has a token of this key");
    let authority = TokenAuthority::new(&secret, TokenAlgorithm::Hs256, Duration::from_secs(60));
    assert!(authority.verify(&text).is_err());

    let Ok(token) = authority.issue(&text, 7, FAR_AHEAD) else {
        panic!("any name can be signed");
    };
    let expected = Ok(Claims {
        subject: text.into_owned(),
        user_id: Some(7),
        expires_at: FAR_AHEAD + 60,
    });
    assert_eq!(authority.verify(&token), expected);
    let (first, rest) = (data.first().copied(), data.get(1).copied());
    if let (Some(place), Some(other)) = (first, rest) {
        let mut changed = token.clone().into_bytes();
        let place = usize::from(place) % changed.len();
        changed[place] = other;
        let changed = String::from_utf8_lossy(&changed);
        assert!(changed == token || authority.verify(&changed).is_err());
    }
}
