//! The one error type of the stores.
//!
//! Every failure of a file system or of the cloud becomes a [`StorageError`]
//! here or in `gcs/failure.rs`. No message contains a key, a token or the
//! address of an upload session.

use std::error::Error as StdError;
use std::io;

type Source = Box<dyn StdError + Send + Sync>;

/// What went wrong, in the terms of the chat service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The disk is full, or the way to the bucket is broken. The same call can succeed
    /// later.
    #[error("the storage is unavailable")]
    Unavailable { source: Source },
    /// The bucket is missing or closed to us, or the folder is. The same call fails until
    /// the operator has changed that.
    #[error("the storage refuses the service")]
    Refused { source: Source },
    #[error("the object does not exist")]
    NotFound,
    #[error("the file is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: u64 },
    /// `found` never is a secret: it is a path, a name or a kind of file.
    #[error("{key} is {found:?}, but has to be {expected}")]
    InvalidConfiguration {
        key: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("unexpected storage error")]
    Internal { source: Source },
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was named does not exist.
    NotFound,
    /// The client has to send something else.
    Invalid,
    /// Try again later.
    Unavailable,
    /// The operator has to change the configuration.
    Configuration,
    /// A defect, or a state nobody foresaw.
    Internal,
}

impl StorageError {
    /// Every code that [`code`](Self::code) can return, for the tables that
    /// map them to HTTP answers and exceptions.
    pub const CODES: [&'static str; 5] = [
        "storage_unavailable",
        "object_not_found",
        "file_too_large",
        "invalid_configuration",
        "internal",
    ];

    /// The stable name of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } | Self::Refused { .. } => "storage_unavailable",
            Self::NotFound => "object_not_found",
            Self::TooLarge { .. } => "file_too_large",
            Self::InvalidConfiguration { .. } => "invalid_configuration",
            Self::Internal { .. } => "internal",
        }
    }

    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::NotFound => ErrorKind::NotFound,
            Self::TooLarge { .. } => ErrorKind::Invalid,
            Self::Refused { .. } | Self::InvalidConfiguration { .. } => ErrorKind::Configuration,
            Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    /// The message followed by its causes, for a log line or the operator.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    pub(crate) fn unavailable(source: impl Into<Source>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }

    pub(crate) fn refused(source: impl Into<Source>) -> Self {
        Self::Refused {
            source: source.into(),
        }
    }

    pub(crate) fn internal(source: impl Into<Source>) -> Self {
        Self::Internal {
            source: source.into(),
        }
    }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::NotFound => Self::NotFound,
            Kind::StorageFull | Kind::QuotaExceeded | Kind::ResourceBusy | Kind::TimedOut => {
                Self::unavailable(error)
            }
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::refused(error),
            _ => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed() {
        let errors = [
            StorageError::unavailable("x"),
            StorageError::NotFound,
            StorageError::TooLarge { max_bytes: 1 },
            StorageError::InvalidConfiguration {
                key: "UPLOAD_PATH",
                found: "/x".to_owned(),
                expected: "a folder",
            },
            StorageError::internal("x"),
        ];
        let codes: Vec<_> = errors.iter().map(StorageError::code).collect();
        assert_eq!(codes, StorageError::CODES);
    }

    #[test]
    fn a_full_disk_can_be_emptied() {
        let error = StorageError::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(
            error.report(),
            "the storage is unavailable: no storage space"
        );
    }

    #[test]
    fn a_folder_that_may_not_be_written_waits_for_the_operator() {
        for kind in [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
        ] {
            let error = StorageError::from(io::Error::from(kind));
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert_eq!(error.code(), "storage_unavailable");
        }
    }
}
