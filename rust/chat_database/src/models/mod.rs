//! What the queries return and take: one table or aggregate per file.
//!
//! Plain structs with typed ids and without SQL. Flags that may be NULL in old
//! databases are read as false here, once, so that no caller meets a NULL.

mod change;
pub mod compat;
mod file;
mod int;
mod message;
mod reading;
mod room;
mod user;

pub use self::change::{
    Alteration, ChangeReceipt, Changed, ChangedMessage, NewChange, NewestChanges,
};
pub(crate) use self::file::{FILE_COLUMNS, FILE_COLUMNS_B, last_part};
pub use self::file::{FileDetails, FileRecord, NewFile};
pub(crate) use self::int::Int;
pub(crate) use self::message::{MESSAGE_COLUMNS, MessageRow, RECEIPT_LIFETIME};
pub use self::message::{NewMessage, Stored, StoredMessage};
pub use self::reading::{OwnRoom, ReadClaims, ReadOutcome, Reading};
pub use self::room::{Joined, NewRoom, Room, RoomAccess, RoomChanges, RoomDetails};
pub(crate) use self::room::{ROOM_COLUMNS, RoomColumns};
pub use self::user::{Credentials, NewUser, User, UserChanges};
pub(crate) use self::user::{USER_COLUMNS, UserColumns};

/// A part of a list: `limit` rows after the first `skip`.
///
/// The caller bounds both; negative numbers count as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub skip: i64,
    pub limit: i64,
}
