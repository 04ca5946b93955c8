//! One query source, compiled once per back end.
//!
//! `src/queries/` is included below each of the two modules here. It is written
//! against the few names its parent provides:
//!
//! - `Connection`, the connection a query runs on;
//! - `RunQueryDsl`, the trait with `load`, `get_result`, `execute`;
//! - `lock_room` and `lock_compat_room`, which make writers of one room wait for
//!   each other, and `lock_file`, which keeps a file from being referred to.
//!
//! Look-ups of a single row are by a unique key and have no LIMIT (`get_result`,
//! not `first`), for the reason `paged` gives.
//!
//! A generic query layer would need pages of trait bounds for the same effect,
//! and diesel's `MultiConnection` does not exist for asynchronous connections.

mod among;
mod entries;
mod markers;
mod numbered;
mod paged;
pub(crate) mod postgres;
pub(crate) mod sqlite;

pub(crate) use self::among::among;
pub(crate) use self::entries::entries;
pub(crate) use self::markers::move_markers;
pub(crate) use self::numbered::{changed, numbered};
pub(crate) use self::paged::paged;
