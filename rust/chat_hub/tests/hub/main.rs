//! The hub through its public surface, with clients at the other end of socket pairs.

#![expect(clippy::unwrap_used, reason = "tests")]

mod delivery;
mod events;
mod fixture;
mod peers;
mod presence;
mod resume;
mod topics;
