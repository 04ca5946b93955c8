//! What a use case can answer instead of its result.
//!
//! Codes are stable: `python/src/error.rs` turns them into exceptions and
//! `chat_app/errors.py` into HTTP answers.

use chat_database::DatabaseError;
use chat_gateway::{PostError, Refusal};
use chat_hub::HubError;

/// A refused or failed use case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    #[error("the username or the password is wrong")]
    InvalidCredentials,
    #[error("the token is not valid")]
    InvalidToken,
    #[error("the user is not active")]
    InactiveUser,
    #[error("the user may not enter the room")]
    RoomAccessDenied,
    #[error("only the owner of the room may do that")]
    NotRoomOwner,
    #[error("the owner cannot leave the room")]
    OwnerCannotLeave,
    #[error("the user is not a member of the room")]
    NotAMember,
    #[error("the file is not visible to the user")]
    FileAccessDenied,
    #[error("the handshake is refused")]
    HandshakeRefused,
    #[error("the service is not running")]
    NotRunning,
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the socket threads could not be started")]
    Hub(#[from] HubError),
    #[error("internal error: {0}")]
    Internal(String),
}

impl ServiceError {
    const OWN_CODES: [&'static str; 9] = [
        "invalid_credentials",
        "invalid_token",
        "inactive_user",
        "room_access_denied",
        "not_room_owner",
        "owner_cannot_leave",
        "not_a_member",
        "file_access_denied",
        "handshake_refused",
    ];

    /// Every value of [`ServiceError::code`].
    pub fn codes() -> impl Iterator<Item = &'static str> {
        Self::OWN_CODES.into_iter().chain(DatabaseError::CODES)
    }

    /// The stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidCredentials => "invalid_credentials",
            Self::InvalidToken => "invalid_token",
            Self::InactiveUser => "inactive_user",
            Self::RoomAccessDenied => "room_access_denied",
            Self::NotRoomOwner => "not_room_owner",
            Self::OwnerCannotLeave => "owner_cannot_leave",
            Self::NotAMember => "not_a_member",
            Self::FileAccessDenied => "file_access_denied",
            Self::HandshakeRefused => "handshake_refused",
            // A client that comes again finds the service up or gone.
            Self::NotRunning => "database_unavailable",
            Self::Database(error) => error.code(),
            Self::Hub(_) | Self::Internal(_) => "internal",
        }
    }

    /// For the operator: the message with its causes, without secrets.
    pub fn report(&self) -> String {
        match self {
            Self::Database(error) => error.report(),
            other => other.to_string(),
        }
    }
}

/// What a session is told about a message that was not stored.
pub(crate) fn post_error(error: &ServiceError) -> PostError {
    match error {
        ServiceError::FileAccessDenied => PostError::FileAccessDenied,
        ServiceError::Database(DatabaseError::FileNotFound) => PostError::FileNotFound,
        ServiceError::Database(DatabaseError::RoomNotFound) => PostError::RoomNotFound,
        ServiceError::Database(DatabaseError::Unavailable { .. }) | ServiceError::NotRunning => {
            PostError::Unavailable
        }
        other => {
            tracing::error!(error = other.report(), "a message could not be stored");
            PostError::Internal
        }
    }
}

/// How a handshake is refused for this error.
pub(crate) fn refusal(error: &ServiceError) -> Refusal {
    match error {
        ServiceError::Database(DatabaseError::RoomNotFound)
        | ServiceError::InvalidToken
        | ServiceError::InactiveUser
        | ServiceError::RoomAccessDenied => Refusal::Denied,
        ServiceError::Database(DatabaseError::Unavailable { .. }) | ServiceError::NotRunning => {
            Refusal::Unavailable
        }
        other => {
            tracing::error!(error = other.report(), "a handshake could not be decided");
            Refusal::Unavailable
        }
    }
}
