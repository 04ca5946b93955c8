//! What ends a run: nothing measured after one of these would mean anything.

use std::time::Duration;

/// Why a run was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the plan or a result is not the JSON expected: {0}")]
    Json(#[from] serde_json::Error),
    #[error("HTTP: {0}")]
    Http(#[from] httparse::Error),
    #[error("the plan cannot be carried out: {0}")]
    Plan(&'static str),
    #[error("process {pid} cannot be observed: {reason}")]
    Process { pid: u32, reason: String },
    #[error("unexpected answer: {0}")]
    Answer(String),
    #[error("{arrived} of {expected} {what} within {within:?}")]
    Lost {
        what: &'static str,
        arrived: u64,
        expected: u64,
        within: Duration,
    },
    #[error("frames have not stopped coming for {0:?}")]
    Restless(Duration),
    #[error("socket {socket} ended: {reason}")]
    Ended { socket: usize, reason: String },
    #[error("{0}")]
    Delivery(String),
}

impl From<rustix::io::Errno> for BenchError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}
