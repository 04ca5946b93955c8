//! What the service needs to know to start. Read and validated by `chat_app`.

use std::time::Duration;

use chat_auth::TokenAlgorithm;
use chat_compat::CompatConfig;
use chat_database::DatabaseUrl;
use secrecy::SecretString;

use crate::files::StorageConfig;

/// Settings of one service.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    pub database_url: DatabaseUrl,
    /// Connections to PostgreSQL, or readers of the SQLite file.
    pub database_pool_size: u32,
    /// Its UTF-8 bytes are the key of the tokens.
    pub secret_key: SecretString,
    pub algorithm: TokenAlgorithm,
    pub token_lifetime: Duration,
    /// Threads that serve sockets.
    pub socket_threads: usize,
    /// What may wait for one reader, in bytes; above it the reader is dropped.
    pub outbox_max_bytes: usize,
    /// Messages that a client may have missed and get when it comes back.
    pub resume_max_messages: usize,
    /// How long a user whose last socket in a room has ended stays there. Zero: not at all.
    pub presence_grace: Duration,
    /// Frames of any kind one client may send in the long run; above it the client has to wait.
    pub max_frames_per_second: u32,
    /// Whether sockets may use permessage-deflate.
    pub compression: bool,
    /// Closes sockets whose token has expired or was shown so long ago. None: they stay.
    pub session_max_age: Option<Duration>,
    /// How long the end of the service takes to reach all sockets, so that they do not
    /// all come back at once.
    pub shutdown_spread: Duration,
    /// Where the processes of the database meet. None: this is the only one.
    pub redis_url: Option<SecretString>,
    pub storage: StorageConfig,
    /// The largest file that may be uploaded.
    pub max_file_bytes: u64,
    /// The sibling systems.
    pub compat: CompatConfig,
}
