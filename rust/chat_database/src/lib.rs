//! The database of the chat service: PostgreSQL or an SQLite file.
//!
//! Owns the schema and its migrations, the connection pools, every query and
//! the writer that stores messages in groups. Everything outside sees
//! [`Database`] and [`MessageWriter`], plain structs, and one error type; no
//! diesel type leaves this crate.
//!
//! Invariants: every call is a fixed number of queries however many rows it
//! answers; no call blocks the thread it is polled on, unless that thread asked for
//! it with [`allow_blocking_queries`].

mod backend;
mod database;
mod error;
mod instance_lock;
mod migrations;
mod models;
mod postgres;
mod schema;
mod sqlite;
mod timestamp;
mod url;
mod writer;

pub use self::database::{CompatStore, Database, DatabaseConfig};
pub use self::error::{DatabaseError, ErrorKind};
pub use self::instance_lock::{Claim, InstanceLock};
pub use self::migrations::{Additions, FileLayout, MigrationReport};
pub use self::models::compat;
pub use self::models::{
    Alteration, ChangeReceipt, Changed, ChangedMessage, Credentials, FileDetails, FileRecord,
    Joined, NewChange, NewFile, NewMessage, NewRoom, NewUser, NewestChanges, OwnRoom, Page,
    ReadClaims, ReadOutcome, Reading, Room, RoomAccess, RoomChanges, RoomDetails, Stored,
    StoredMessage, User, UserChanges,
};
pub use self::sqlite::allow_blocking_queries;
pub use self::url::DatabaseUrl;
pub use self::writer::{Call, MessageWriter, OnStored};
