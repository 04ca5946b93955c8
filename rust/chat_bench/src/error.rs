//! What ends a run: nothing measured after one of these would mean anything.

use std::time::Duration;

/// Why a run was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the plan or a result is not the JSON expected: {0}")]
    Json(#[from] serde_json::Error),
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    #[error("HTTP: {0}")]
    Http(#[from] httparse::Error),
    #[error("the plan cannot be carried out: {0}")]
    Plan(&'static str),
    #[error("process {pid} cannot be observed: {reason}")]
    Process { pid: u32, reason: String },
    #[error("unexpected answer: {0}")]
    Answer(String),
    #[error("{delivered} of {expected} deliveries arrived within {within:?}")]
    Lost {
        delivered: u64,
        expected: u64,
        within: Duration,
    },
    #[error("{0}")]
    Delivery(String),
    #[error("a task of the client failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<tokio_tungstenite::tungstenite::Error> for BenchError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}
