//! What can go wrong behind a face.

use chat_database::{DatabaseError, ErrorKind};
use chat_socketio::Refusal;

/// A failure that is nobody's fault outside; faces answer it in their own shape.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompatError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// With the causes.
    #[error("{0}")]
    StoreUnavailable(String),
    #[error("the service is not running")]
    NotRunning,
    #[error("internal error: {0}")]
    Internal(String),
}

impl CompatError {
    /// Whether the same request can succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Database(error) => error.kind() == ErrorKind::Unavailable,
            Self::StoreUnavailable(_) | Self::NotRunning => true,
            Self::Internal(_) => false,
        }
    }

    /// What a client that wants to enter a namespace gets: a failure says nothing about
    /// its token, and a client that is told so would give up for good.
    pub(crate) fn refuse(&self, system: &str) -> Refusal {
        self.log(system);
        Refusal::Unavailable
    }

    /// Logs it, once, where it becomes an answer, and says whether it is temporary.
    pub(crate) fn log(&self, system: &str) -> bool {
        let report = match self {
            Self::Database(error) => error.report(),
            other => other.to_string(),
        };
        let is_temporary = self.is_temporary();
        if is_temporary {
            tracing::warn!(system, error = report, "a request could not be served");
        } else {
            tracing::error!(system, error = report, "a request failed");
        }
        is_temporary
    }
}
