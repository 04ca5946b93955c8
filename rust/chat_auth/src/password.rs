//! bcrypt password hashes, interchangeable with the original's (contract section 3.3).
//!
//! Only the first 72 bytes of the UTF-8 password count, silently, for hashing
//! and for verifying: that is what the stored hashes were made with.

use std::sync::LazyLock;

/// Work factor of new hashes (2^12 rounds), as in the original.
const COST: u32 = 12;

/// A hash of a random password of the same cost as new hashes, for log-ins of unknown users.
static DUMMY_HASH: LazyLock<String> = LazyLock::new(|| {
    let mut secret = [0_u8; 32];
    // A predictable password behind this hash would do no harm: its result is never used.
    let _ = getrandom::fill(&mut secret);
    bcrypt::hash(secret, COST).unwrap_or_default()
});

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct PasswordError(#[from] bcrypt::BcryptError);

/// Hashes a password as `$2b$12$…` (60 characters). Takes about 250 ms of a core.
///
/// # Errors
/// `PasswordError` if the system has no randomness for the salt.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    Ok(bcrypt::hash(password, COST)?)
}

/// Whether `password` is the one behind `hash` (`$2a$`, `$2b$` or `$2y$`, any cost).
/// A stored value that is no bcrypt hash matches nothing and costs as much as a mismatch.
pub fn verify_password(password: &str, hash: &str) -> bool {
    bcrypt::verify(password, hash).unwrap_or_else(|_| {
        verify_nothing(password);
        false
    })
}

/// Spends the time of a verification, so that an unknown user cannot be told
/// from a wrong password by the clock.
pub fn verify_nothing(password: &str) {
    let _ = bcrypt::verify(password, &DUMMY_HASH);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_the_original_verify() {
        // Made by the original for the password "clave-heredada".
        let hash = "$2b$12$dO.tHqluVUkhEsegLnofz.U0CcdrH256qk.DvoQ7d9A59DnIOeTn2";
        assert!(verify_password("clave-heredada", hash));
        assert!(!verify_password("otra", hash));
        assert!(verify_password(
            "clave-heredada",
            &hash.replacen("$2b$", "$2y$", 1)
        ));
        assert!(verify_password(
            "clave-heredada",
            &hash.replacen("$2b$", "$2a$", 1)
        ));
    }

    #[test]
    fn only_the_first_72_bytes_count() {
        let hash = hash_password(&format!("{}tail", "ñ".repeat(36))).expect("a hash");
        assert_eq!((&hash[..7], hash.len()), ("$2b$12$", 60));
        assert!(verify_password(&"ñ".repeat(36), &hash));
        assert!(!verify_password(&"ñ".repeat(35), &hash));
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        for stored in ["", "clave", "$2b$12$short", "$argon2id$v=19$m=1"] {
            assert!(!verify_password("clave", stored), "{stored}");
        }
    }
}
