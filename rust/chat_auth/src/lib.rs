//! Passwords and tokens: what proves who somebody is.
//!
//! Pure computation. Hashing a password takes a quarter of a second of a core;
//! where and how many at a time is the caller's decision.

mod password;
mod sibling;
mod token;

pub use password::{PasswordError, hash_password, verify_nothing, verify_password};
pub use sibling::{ExternalClaims, ExternalTokens, RealmClaims, RealmTokens};
pub use token::{Claims, TokenAlgorithm, TokenAuthority, TokenError};
