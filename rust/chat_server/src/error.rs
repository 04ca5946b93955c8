//! What a use case can answer instead of its result.
//!
//! Codes are stable: `python/src/error.rs` turns them into exceptions and
//! `chat_app/errors.py` into HTTP answers.

use chat_cluster::ClusterError;
use chat_database::DatabaseError;
use chat_gateway::{PostError, ReadError, Refusal};
use chat_hub::HubError;
use chat_storage::StorageError;

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
    #[error("only the uploader of the file may do that")]
    NotFileOwner,
    #[error("the form holds no file in the expected field")]
    FileMissing,
    #[error("the form has no boundary")]
    MultipartBoundaryMissing,
    #[error("the form is damaged, or exceeds what a form may have")]
    MultipartInvalid,
    #[error("the form is too large")]
    FormTooLarge,
    #[error("the form holds too many files")]
    TooManyFiles,
    #[error("the file is larger than {max_bytes} bytes")]
    FileTooLarge { max_bytes: u64 },
    /// Or the content is of another type.
    #[error("files of the type {declared:?} may not be uploaded")]
    FileTypeNotAllowed { declared: Option<String> },
    #[error("the picture has too many pixels")]
    ImageTooLarge,
    #[error("the client went away during the upload")]
    UploadAborted,
    #[error("the client has stopped sending its upload")]
    UploadStalled,
    #[error("the upload failed")]
    UploadFailed { source: StorageError },
    #[error("there is no store for files")]
    StoreMissing,
    #[error("the messages of this database have no places")]
    MessagesNotNumbered,
    #[error("it is not known what users of this database have read")]
    ReadingNotKnown,
    #[error("the last place of the room is {last}")]
    PlaceBeyondRoom { last: i64 },
    #[error("there is no such message in the room, or it was deleted")]
    MessageNotFound,
    #[error("only who has sent the message may do that")]
    NotMessageSender,
    #[error("the message has neither text nor file")]
    EmptyMessage,
    #[error("the messages of this database cannot be changed")]
    ChangesUnavailable,
    #[error("the handshake is refused")]
    HandshakeRefused,
    #[error("the handshake cannot be decided now")]
    HandshakePostponed,
    #[error("the service is not running")]
    NotRunning,
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the socket threads could not be started")]
    Hub(#[from] HubError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("internal error: {0}")]
    Internal(String),
}

impl ServiceError {
    const OWN_CODES: [&'static str; 28] = [
        "invalid_credentials",
        "invalid_token",
        "inactive_user",
        "room_access_denied",
        "not_room_owner",
        "owner_cannot_leave",
        "not_a_member",
        "file_access_denied",
        "not_file_owner",
        "file_missing",
        "multipart_boundary_missing",
        "multipart_invalid",
        "too_many_files",
        "file_too_large",
        "file_type_not_allowed",
        "image_too_large",
        "upload_aborted",
        "upload_stalled",
        "upload_failed",
        "storage_unavailable",
        "messages_not_numbered",
        "reading_not_known",
        "place_beyond_room",
        "message_not_found",
        "not_message_sender",
        "empty_message",
        "changes_unavailable",
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
            Self::NotFileOwner => "not_file_owner",
            Self::FileMissing => "file_missing",
            Self::MultipartBoundaryMissing => "multipart_boundary_missing",
            Self::MultipartInvalid => "multipart_invalid",
            Self::TooManyFiles => "too_many_files",
            Self::FormTooLarge | Self::FileTooLarge { .. } => "file_too_large",
            Self::FileTypeNotAllowed { .. } => "file_type_not_allowed",
            Self::ImageTooLarge => "image_too_large",
            Self::UploadAborted => "upload_aborted",
            Self::UploadStalled => "upload_stalled",
            Self::UploadFailed { .. } => "upload_failed",
            Self::StoreMissing => "storage_unavailable",
            Self::Storage(StorageError::NotFound) => "file_not_found",
            Self::Storage(error) => error.code(),
            Self::MessagesNotNumbered => "messages_not_numbered",
            Self::ReadingNotKnown => "reading_not_known",
            Self::PlaceBeyondRoom { .. } => "place_beyond_room",
            Self::MessageNotFound => "message_not_found",
            Self::NotMessageSender => "not_message_sender",
            Self::EmptyMessage => "empty_message",
            Self::ChangesUnavailable => "changes_unavailable",
            Self::HandshakeRefused => "handshake_refused",
            // A client that comes again finds the service up or gone.
            Self::HandshakePostponed | Self::NotRunning => "database_unavailable",
            Self::Database(error) => error.code(),
            Self::Cluster(_) => "invalid_configuration",
            Self::Hub(_) | Self::Internal(_) => "internal",
        }
    }

    /// What the client's text names besides, for codes that have something.
    pub fn value(&self) -> Option<String> {
        match self {
            Self::FileTypeNotAllowed { declared } => {
                // So the original shows a part without a type.
                Some(declared.clone().unwrap_or_else(|| "None".to_owned()))
            }
            Self::FileTooLarge { max_bytes } => Some(megabytes(*max_bytes)),
            Self::PlaceBeyondRoom { last } => Some(last.to_string()),
            _ => None,
        }
    }

    /// For the operator: the message with its causes, without secrets.
    pub fn report(&self) -> String {
        match self {
            Self::Database(error) => error.report(),
            Self::Storage(error) => error.report(),
            Self::UploadFailed { source } => format!("{self}: {}", source.report()),
            other => other.to_string(),
        }
    }
}

/// Whole ones without a fraction.
fn megabytes(bytes: u64) -> String {
    const MEGABYTE: u64 = 1024 * 1024;
    match bytes % MEGABYTE {
        0 => (bytes / MEGABYTE).to_string(),
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        _ => format!("{:.2}", bytes as f64 / MEGABYTE as f64),
    }
}

/// What a session is told about a message that was not stored, or not changed.
pub(crate) fn post_error(error: &ServiceError) -> PostError {
    match error {
        ServiceError::FileAccessDenied => PostError::FileAccessDenied,
        ServiceError::MessageNotFound => PostError::MessageNotFound,
        ServiceError::NotMessageSender => PostError::NotMessageSender,
        ServiceError::EmptyMessage => PostError::EmptyMessage,
        ServiceError::ChangesUnavailable => PostError::ChangesUnavailable,
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

/// What a session is told about a marker of what was read that was not stored.
pub(crate) fn read_error(error: &ServiceError) -> ReadError {
    match error {
        ServiceError::ReadingNotKnown => ReadError::NotKnown,
        ServiceError::Database(DatabaseError::Unavailable { .. }) | ServiceError::NotRunning => {
            ReadError::Unavailable
        }
        other => {
            tracing::error!(error = other.report(), "what was read could not be stored");
            ReadError::Internal
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
