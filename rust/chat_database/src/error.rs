//! The one error type of this crate.
//!
//! Every failure of a back end is turned into a [`DatabaseError`] here and
//! nowhere else, so that the layers above see meanings ("the e-mail is taken",
//! "the database is away") and never a driver's error. Constraint violations
//! are recognised by the name of the constraint or index. No message contains
//! a password: nothing in here ever formats a connection string.

use std::error::Error as StdError;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use tokio_postgres::error::SqlState;

type Source = Box<dyn StdError + Send + Sync>;

/// What went wrong, in the terms of the chat service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    #[error("the e-mail address is already registered")]
    EmailTaken,
    #[error("the username is already taken")]
    UsernameTaken,
    #[error("the room does not exist")]
    RoomNotFound,
    #[error("the user does not exist")]
    UserNotFound,
    #[error("the file does not exist")]
    FileNotFound,
    /// The server is down, restarting, out of connections, or the way to it is
    /// broken. The same call can succeed later.
    #[error("the database is unavailable")]
    Unavailable { source: Source },
    /// The server answered, but does not let this user into this database.
    #[error("the database refused the login: {reason}")]
    LoginFailed { reason: String },
    /// The connection goes through a pooler that hands each transaction to
    /// another session.
    #[error(
        "DATABASE_URL leads to a connection pooler in transaction mode, which breaks prepared \
         statements and session locks; use the session pooler (for Supabase port 5432 instead \
         of 6543, for pgbouncer pool_mode = session) or the database itself"
    )]
    TransactionPooler,
    /// Another process of this service holds the instance lock.
    #[error(
        "another process of this service is already running on this database; one process is \
         the supported form without REDIS_URL (it uses all cores), so stop the other one, and start \
         without several workers; or give all of them the same REDIS_URL"
    )]
    InstanceRunning,
    /// Tables or columns are missing and may not be created by this role.
    #[error(
        "the database schema is incomplete and the database user may not create it; missing: \
         {}", missing.join(", ")
    )]
    SchemaMissing { missing: Vec<String> },
    #[error("invalid database URL: {reason}")]
    InvalidUrl { reason: String },
    #[error("unexpected database error")]
    Internal { source: Source },
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A row that was named does not exist.
    NotFound,
    /// A unique value is in use.
    Conflict,
    /// Try again later.
    Unavailable,
    /// The operator has to change the configuration or the deployment.
    Configuration,
    /// A defect, or a state nobody foresaw.
    Internal,
}

impl DatabaseError {
    /// Every code that [`code`](Self::code) can return, for the tables that
    /// map them to HTTP answers, frames and exceptions.
    pub const CODES: [&'static str; 12] = [
        "email_taken",
        "username_taken",
        "room_not_found",
        "user_not_found",
        "file_not_found",
        "database_unavailable",
        "database_login_failed",
        "transaction_pooler",
        "instance_running",
        "schema_missing",
        "invalid_configuration",
        "internal",
    ];

    /// The stable name of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmailTaken => "email_taken",
            Self::UsernameTaken => "username_taken",
            Self::RoomNotFound => "room_not_found",
            Self::UserNotFound => "user_not_found",
            Self::FileNotFound => "file_not_found",
            Self::Unavailable { .. } => "database_unavailable",
            Self::LoginFailed { .. } => "database_login_failed",
            Self::TransactionPooler => "transaction_pooler",
            Self::InstanceRunning => "instance_running",
            Self::SchemaMissing { .. } => "schema_missing",
            Self::InvalidUrl { .. } => "invalid_configuration",
            Self::Internal { .. } => "internal",
        }
    }

    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::EmailTaken | Self::UsernameTaken => ErrorKind::Conflict,
            Self::RoomNotFound | Self::UserNotFound | Self::FileNotFound => ErrorKind::NotFound,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::LoginFailed { .. }
            | Self::TransactionPooler
            | Self::InstanceRunning
            | Self::SchemaMissing { .. }
            | Self::InvalidUrl { .. } => ErrorKind::Configuration,
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

    /// Whether the server grants no more sessions to anybody, this role, or for this
    /// database.
    pub(crate) fn is_server_full(&self) -> bool {
        let Self::Unavailable { source } = self else {
            return false;
        };
        let error = source.downcast_ref::<tokio_postgres::Error>();
        error.and_then(tokio_postgres::Error::code) == Some(&SqlState::TOO_MANY_CONNECTIONS)
    }

    /// Whether the same statement could do better in a new session: its plans may not fit
    /// the tables any more, or its settings be of a time when the server took no writes.
    ///
    /// Nothing that a healthy session meets has these kinds, so what exactly is wrong,
    /// which diesel does not say, does not matter.
    pub(crate) fn may_be_of_session(&self) -> bool {
        match self {
            Self::Unavailable { source } => matches!(
                source.downcast_ref::<DieselError>(),
                Some(DieselError::DatabaseError(
                    DatabaseErrorKind::ReadOnlyTransaction,
                    _
                ))
            ),
            Self::Internal { source } => matches!(
                source.downcast_ref::<DieselError>(),
                Some(
                    DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)
                        | DieselError::DeserializationError(_)
                )
            ),
            _ => false,
        }
    }

    pub(crate) fn unavailable(source: impl Into<Source>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }

    pub(crate) fn internal(source: impl Into<Source>) -> Self {
        Self::Internal {
            source: source.into(),
        }
    }

    /// The domain error a constraint or index stands for. `None` for the
    /// constraints only a defect can violate.
    fn from_constraint(name: &str) -> Option<Self> {
        Some(match name {
            "ix_users_email" => Self::EmailTaken,
            "ix_users_username" => Self::UsernameTaken,
            "messages_file_id_fkey" => Self::FileNotFound,
            "messages_room_id_fkey" | "user_rooms_room_id_fkey" | "file_uploads_room_id_fkey" => {
                Self::RoomNotFound
            }
            "messages_sender_id_fkey"
            | "user_rooms_user_id_fkey"
            | "rooms_owner_id_fkey"
            | "file_uploads_uploader_id_fkey"
            | "file_uploads_user_id_fkey" => Self::UserNotFound,
            _ => return None,
        })
    }
}

impl From<DieselError> for DatabaseError {
    /// SQLite does not say which foreign key failed, so a bare SQLite
    /// violation ends up as `Internal`; the query that can meet one has to
    /// find out what is missing inside its transaction.
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, ref information) => {
                if let Some(known) = from_information(kind, information.as_ref()) {
                    return known;
                }
                classify(is_away(kind, information.message()), error)
            }
            DieselError::RollbackErrorOnCommit {
                rollback_error,
                commit_error,
            } => {
                // The rollback only repeats why the commit failed, unless the
                // connection broke in between: then that is the reason.
                let rollback = Self::from(*rollback_error);
                match Self::from(*commit_error) {
                    Self::Internal { .. } if rollback.kind() == ErrorKind::Unavailable => rollback,
                    commit => commit,
                }
            }
            // The manager is only left broken by a connection that died in a
            // transaction; the pool drops it.
            DieselError::BrokenTransactionManager => Self::unavailable(error),
            error => Self::internal(error),
        }
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        // The driver does not export the kind of its errors.
        const AUTHENTICATION_FAILED: &str = "authentication error";
        if error.as_db_error().is_none() && error.to_string() == AUTHENTICATION_FAILED {
            let cause = StdError::source(&error).map(ToString::to_string);
            return Self::LoginFailed {
                reason: cause.unwrap_or_else(|| AUTHENTICATION_FAILED.to_owned()),
            };
        }
        let Some(database_error) = error.as_db_error() else {
            // No SQLSTATE: the connection could not be made or is gone. What
            // else this library reports (a column of another type) does not
            // occur in the plain statements that are sent through it.
            return Self::unavailable(error);
        };
        let code = database_error.code();
        if let Some(known) = database_error.constraint().and_then(Self::from_constraint) {
            return known;
        }
        if code.code().starts_with("28") {
            return Self::LoginFailed {
                reason: database_error.message().to_owned(),
            };
        }
        if *code == SqlState::INVALID_CATALOG_NAME {
            return Self::LoginFailed {
                reason: format!(
                    "{}; create it first, or correct its name in DATABASE_URL",
                    database_error.message()
                ),
            };
        }
        classify(is_away_state(code), error)
    }
}

/// Unavailable or internal, with the cause kept.
fn classify(is_away: bool, error: impl Into<Source>) -> DatabaseError {
    if is_away {
        DatabaseError::unavailable(error)
    } else {
        DatabaseError::internal(error)
    }
}

fn from_information(
    kind: DatabaseErrorKind,
    information: &(dyn DatabaseErrorInformation + Send + Sync),
) -> Option<DatabaseError> {
    let by_name = information
        .constraint_name()
        .and_then(DatabaseError::from_constraint);
    by_name.or_else(|| match (kind, information.message()) {
        // SQLite names the columns instead of the index.
        (DatabaseErrorKind::UniqueViolation, "UNIQUE constraint failed: users.email") => {
            Some(DatabaseError::EmailTaken)
        }
        (DatabaseErrorKind::UniqueViolation, "UNIQUE constraint failed: users.username") => {
            Some(DatabaseError::UsernameTaken)
        }
        _ => None,
    })
}

/// SQLSTATEs of a server that is down, going down, coming up or full.
fn is_away_state(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::DISK_FULL,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ]
        .contains(code)
}

/// Whether a diesel error means that the database is away.
///
/// diesel keeps no SQLSTATE, so the texts have to do. Those of the driver are
/// fixed; the server's are English unless it was set up in another language,
/// and then only the request that is running at the very moment of the
/// shutdown is reported as internal: those after it find the connection closed.
fn is_away(kind: DatabaseErrorKind, message: &str) -> bool {
    const DRIVER: [&str; 4] = [
        "connection closed",
        "error communicating with the server",
        "error connecting to server",
        "timeout waiting for server",
    ];
    const SERVER: [&str; 7] = [
        "terminating connection",
        "the database system is",
        "sorry, too many clients already",
        "remaining connection slots are reserved",
        "could not extend file",
        // SQLite: another program holds the file, or the disk is full.
        "database is locked",
        "database or disk is full",
    ];
    match kind {
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::ReadOnlyTransaction => true,
        DatabaseErrorKind::UnableToSendCommand => DRIVER.contains(&message),
        DatabaseErrorKind::Unknown => SERVER.iter().any(|text| message.starts_with(text)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
