//! bcrypt password hashes, interchangeable with the original's (contract section 3.3).
//!
//! Only the first 72 bytes of the UTF-8 password count, silently, for hashing
//! and for verifying: that is what the stored hashes were made with.
//!
//! The same characters may be typed in several forms of Unicode: `é` is one code point
//! on most keyboards, and `e` with a combining accent on some. New hashes are made of the
//! composed form (NFC, as RFC 8265 has it); hashes from before, and those of the original,
//! of whatever was typed.

use std::borrow::Cow;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

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
    Ok(bcrypt::hash(composed(password).as_bytes(), COST)?)
}

/// Whether `password` is the one behind `hash` (`$2a$`, `$2b$` or `$2y$`, any cost).
/// A stored value that is no bcrypt hash matches nothing and costs as much as a mismatch.
pub fn verify_password(password: &str, hash: &str) -> bool {
    let is_match = |form: &Cow<'_, str>| {
        bcrypt::verify(form.as_bytes(), hash).unwrap_or_else(|_| {
            let _ = bcrypt::verify(form.as_bytes(), &DUMMY_HASH);
            false
        })
    };
    forms(password).iter().any(is_match)
}

/// Spends the time of a verification, so that an unknown user cannot be told
/// from a wrong password by the clock.
pub fn verify_nothing(password: &str) {
    for form in forms(password) {
        let _ = bcrypt::verify(form.as_bytes(), &DUMMY_HASH);
    }
}

/// The forms in which a password may have been hashed, the likeliest first, each once. One
/// if it is ASCII.
fn forms(password: &str) -> Vec<Cow<'_, str>> {
    let mut forms = vec![composed(password)];
    if !password.is_ascii() {
        for form in [password.into(), password.nfd().collect::<String>().into()] {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

fn composed(password: &str) -> Cow<'_, str> {
    if password.is_ascii() {
        password.into()
    } else {
        password.nfc().collect::<String>().into()
    }
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

    const COMPOSED: &str = "contrase\u{f1}a-caf\u{e9}";
    const DECOMPOSED: &str = "contrasen\u{303}a-cafe\u{301}";
    const MIXED: &str = "contrase\u{f1}a-cafe\u{301}";
    const ALL: [&str; 3] = [COMPOSED, DECOMPOSED, MIXED];

    #[test]
    fn the_form_in_which_a_password_is_typed_does_not_matter() {
        for registered in ALL {
            let hash = hash_password(registered).expect("a hash");
            for typed in ALL {
                assert!(verify_password(typed, &hash), "{registered} {typed}");
            }
            assert!(!verify_password("contrasena-cafe", &hash));
        }
    }

    #[test]
    fn hashes_of_what_was_typed_stay_valid() {
        for (registered, others) in [
            (COMPOSED, &ALL[..]),
            (DECOMPOSED, &ALL[..]),
            // Nobody knows which of the letters were composed.
            (MIXED, &[MIXED][..]),
        ] {
            let hash = bcrypt::hash(registered, 4).expect("a hash");
            for typed in others {
                assert!(verify_password(typed, &hash), "{registered} {typed}");
            }
        }
    }

    #[test]
    fn each_form_is_tried_once() {
        assert_eq!(forms("clave"), ["clave"]);
        assert_eq!(forms(COMPOSED), [COMPOSED, DECOMPOSED]);
        assert_eq!(forms(DECOMPOSED), [COMPOSED, DECOMPOSED]);
        assert_eq!(forms(MIXED), [COMPOSED, MIXED, DECOMPOSED]);
        // Hangul, a letter with two accents in either order, one without a composed form.
        assert_eq!(forms("\u{1112}\u{1161}\u{11ab}")[0], "\u{d55c}");
        assert_eq!(forms("a\u{302}\u{323}")[0], forms("a\u{323}\u{302}")[0]);
        assert_eq!(forms("q\u{301}"), ["q\u{301}"]);
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        for stored in ["", "clave", "$2b$12$short", "$argon2id$v=19$m=1"] {
            assert!(!verify_password("clave", stored), "{stored}");
        }
    }
}
