//! The chat service put together: use cases over database, hub and tokens, and
//! the start and end of all of it.
//!
//! [`Chat`] holds the use cases, one file per subject; each checks permission,
//! calls the database and tells the hub what changed. [`Service`] owns what runs.
//! Answers are JSON bytes in the shapes of the IzpoChat contract (section 4).

mod access_sweep;
mod accounts;
mod answers;
mod changes;
mod chat;
mod cluster;
mod compat_primary;
mod config;
mod entrance;
mod error;
mod expiry_sweep;
mod files;
mod low_priority;
mod messages;
mod passwords;
mod reads;
mod receipt_sweep;
mod rooms;
mod service;
mod session_backend;
mod tails;

pub use accounts::{Bearer, Identity, UserUpdate};
pub use chat::Chat;
pub use chat_auth::TokenAlgorithm;
pub use chat_compat::{
    Body as CompatBody, CompatConfig, Conditions as CompatConditions, Content as CompatContent,
    LiveKitConfig, Request as CompatRequest, RequestHead as CompatRequestHead,
    Response as CompatResponse, System as CompatSystem,
};
pub use chat_database::{
    DatabaseError, DatabaseUrl, MigrationReport, Page, allow_blocking_queries,
};
pub use chat_gateway::{BridgeInput, SocketOptions};
pub use chat_hub::{BridgeOutput, Heartbeat, OutputBatch, StreamSource};
pub use chat_protocol::{ClientId, EncodedFrame};
pub use chat_socketio::{EngineRequest, HttpAnswer};
pub use chat_storage::{Category, GcsConfig, GcsUrls, MediaType};
pub use config::ServiceConfig;
pub use error::ServiceError;
#[cfg(feature = "fuzzing")]
pub use files::fuzzing;
pub use files::{
    Download, DownloadHead, DownloadOutcome, DownloadRequest, Feed, StorageConfig, Upload,
    UploadForm, UploadReport,
};
pub use messages::{HistoryAnswer, HistoryPart};
pub use rooms::{MemberName, RoomUpdate};
pub use service::{Service, migrate};
