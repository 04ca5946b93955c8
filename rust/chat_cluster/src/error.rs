//! Why the other processes cannot be reached.

/// What is wrong with the server that connects the processes. Names no password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    #[error(
        "REDIS_URL: {0}; expected redis://[user:password@]host[:port][/number], or rediss:// for TLS"
    )]
    InvalidUrl(String),
    #[error("REDIS_URL: the server cannot be reached: {0}")]
    Unreachable(String),
}
