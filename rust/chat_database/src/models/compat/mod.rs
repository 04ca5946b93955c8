//! What is kept for the sibling systems: one file per aggregate.
//!
//! Every row has a number of ours (a `…Key`), which never leaves the service, and
//! a public id made by the face that serves the system.

mod account;
mod call;
mod meeting;
mod message;
mod room;

pub(crate) use self::account::ACCOUNT_COLUMNS;
pub use self::account::{Account, AccountCredentials, NewAccount, Registered, System};
pub(crate) use self::call::{CALL_COLUMNS, CALL_ROOM_COLUMNS, CALL_USER_COLUMNS};
pub use self::call::{
    Call, CallRoom, CallStatus, CallUser, CallWithParties, EndedCall, MediaRoom, NewCallUser,
};
pub(crate) use self::meeting::MEETING_COLUMNS;
pub use self::meeting::{EndedMeeting, Meeting, MeetingStatus};
pub(crate) use self::message::MESSAGE_COLUMNS;
pub use self::message::{Message, MessageToStore};
pub(crate) use self::room::ROOM_COLUMNS;
pub use self::room::{
    CreatedRoom, Left, NewRoom, Person, Room, RoomKey, RoomKind, RoomToMake, RoomWithPeople,
};
