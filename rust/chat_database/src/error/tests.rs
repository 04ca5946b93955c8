//! Which driver errors mean what, and that the list of codes is complete.

use std::collections::BTreeSet;

use super::*;

/// A server's answer as diesel shows it.
struct Answer {
    message: &'static str,
    constraint: Option<&'static str>,
}

impl DatabaseErrorInformation for Answer {
    fn message(&self) -> &str {
        self.message
    }
    fn details(&self) -> Option<&str> {
        None
    }
    fn hint(&self) -> Option<&str> {
        None
    }
    fn table_name(&self) -> Option<&str> {
        None
    }
    fn column_name(&self) -> Option<&str> {
        None
    }
    fn constraint_name(&self) -> Option<&str> {
        self.constraint
    }
    fn statement_position(&self) -> Option<i32> {
        None
    }
}

fn code(
    kind: DatabaseErrorKind,
    message: &'static str,
    constraint: Option<&'static str>,
) -> &'static str {
    let answer = Answer {
        message,
        constraint,
    };
    DatabaseError::from(DieselError::DatabaseError(kind, Box::new(answer))).code()
}

#[test]
fn constraints_are_recognised_by_name() {
    use DatabaseErrorKind::{CheckViolation, ForeignKeyViolation, UniqueViolation};
    for (kind, constraint, expected) in [
        (UniqueViolation, "ix_users_email", "email_taken"),
        (UniqueViolation, "ix_users_username", "username_taken"),
        (UniqueViolation, "users_pkey", "internal"),
        (
            ForeignKeyViolation,
            "messages_file_id_fkey",
            "file_not_found",
        ),
        (
            ForeignKeyViolation,
            "messages_room_id_fkey",
            "room_not_found",
        ),
        (
            ForeignKeyViolation,
            "user_rooms_room_id_fkey",
            "room_not_found",
        ),
        (
            ForeignKeyViolation,
            "messages_sender_id_fkey",
            "user_not_found",
        ),
        (
            ForeignKeyViolation,
            "user_rooms_user_id_fkey",
            "user_not_found",
        ),
        (ForeignKeyViolation, "rooms_owner_id_fkey", "user_not_found"),
        (
            ForeignKeyViolation,
            "file_uploads_user_id_fkey",
            "user_not_found",
        ),
        (CheckViolation, "somebody_elses_check", "internal"),
    ] {
        assert_eq!(
            code(kind, "violated", Some(constraint)),
            expected,
            "{constraint}"
        );
    }
}

#[test]
fn sqlite_names_the_column_instead() {
    use DatabaseErrorKind::UniqueViolation;
    for (message, expected) in [
        ("UNIQUE constraint failed: users.email", "email_taken"),
        ("UNIQUE constraint failed: users.username", "username_taken"),
        ("UNIQUE constraint failed: users.id", "internal"),
    ] {
        assert_eq!(code(UniqueViolation, message, None), expected);
    }
}

#[test]
fn a_database_that_is_away_is_unavailable() {
    use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand, Unknown};
    for (kind, message, expected) in [
        (ClosedConnection, "", "database_unavailable"),
        (
            UnableToSendCommand,
            "connection closed",
            "database_unavailable",
        ),
        (
            UnableToSendCommand,
            "error serializing parameter 1",
            "internal",
        ),
        (
            Unknown,
            "the database system is shutting down",
            "database_unavailable",
        ),
        (Unknown, "database is locked", "database_unavailable"),
        (Unknown, "column \"x\" does not exist", "internal"),
    ] {
        assert_eq!(code(kind, message, None), expected, "{message}");
    }
}

#[test]
fn a_connection_that_breaks_while_a_commit_is_undone_is_the_reason() {
    let answer = |message| -> Box<DieselError> {
        Box::new(DieselError::DatabaseError(
            DatabaseErrorKind::UnableToSendCommand,
            Box::new(Answer {
                message,
                constraint: None,
            }),
        ))
    };
    let error = DieselError::RollbackErrorOnCommit {
        rollback_error: answer("connection closed"),
        commit_error: answer("something else"),
    };
    assert_eq!(DatabaseError::from(error).code(), "database_unavailable");
}

#[test]
fn the_list_of_codes_is_complete_and_the_texts_are_in_style() {
    let all = [
        DatabaseError::EmailTaken,
        DatabaseError::UsernameTaken,
        DatabaseError::RoomNotFound,
        DatabaseError::UserNotFound,
        DatabaseError::FileNotFound,
        DatabaseError::unavailable("x"),
        DatabaseError::LoginFailed {
            reason: String::new(),
        },
        DatabaseError::TransactionPooler,
        DatabaseError::InstanceRunning,
        DatabaseError::SchemaMissing {
            missing: vec!["table users".to_owned(), "column rooms.name".to_owned()],
        },
        DatabaseError::InvalidUrl {
            reason: String::new(),
        },
        DatabaseError::internal("x"),
    ];
    let codes: BTreeSet<_> = all.iter().map(DatabaseError::code).collect();
    assert_eq!(codes, BTreeSet::from(DatabaseError::CODES));
    for error in &all {
        assert!(!error.to_string().ends_with('.'), "{error}");
    }
    assert!(
        all[9]
            .to_string()
            .ends_with("table users, column rooms.name")
    );
    assert_eq!(all[5].report(), "the database is unavailable: x");
}
