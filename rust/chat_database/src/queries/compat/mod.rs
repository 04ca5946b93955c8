//! The queries of the sibling systems, see `models::compat`.

pub(crate) mod accounts;
pub(crate) mod calls;
pub(crate) mod meetings;
pub(crate) mod messages;
pub(crate) mod rooms;

use super::{Connection, RunQueryDsl, lock_compat_room};
