//! Table `users`.

use chat_protocol::ids::UserId;
use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use super::Int;
use crate::schema::users;

/// A user as everybody may see it; the password hash is only in
/// [`Credentials`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub full_name: Option<String>,
    /// NULL in the table counts as inactive.
    pub is_active: bool,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// A user with what the log-in compares.
#[derive(Clone)]
pub struct Credentials {
    pub user: User,
    pub hashed_password: String,
}

/// A user to register.
#[derive(Clone)]
pub struct NewUser {
    pub username: String,
    pub email: String,
    pub full_name: Option<String>,
    pub hashed_password: String,
}

/// What to change in a user; `None` leaves a column as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChanges {
    pub username: Option<String>,
    pub email: Option<String>,
    /// `Some(None)` clears the name.
    pub full_name: Option<Option<String>>,
    pub is_active: Option<bool>,
}

impl UserChanges {
    /// Only what differs from `user`; `None` if nothing does.
    pub(crate) fn differing_from(self, user: &User) -> Option<Self> {
        let differing = Self {
            username: self.username.filter(|new| *new != user.username),
            email: self.email.filter(|new| *new != user.email),
            full_name: self.full_name.filter(|new| *new != user.full_name),
            is_active: self.is_active.filter(|new| *new != user.is_active),
        };
        (differing != Self::default()).then_some(differing)
    }
}

pub(crate) type UserColumns = (
    users::id,
    users::username,
    users::email,
    users::full_name,
    users::is_active,
    users::created_at,
    users::updated_at,
);

pub(crate) const USER_COLUMNS: UserColumns = (
    users::id,
    users::username,
    users::email,
    users::full_name,
    users::is_active,
    users::created_at,
    users::updated_at,
);

type UserRow = (
    Int,
    String,
    String,
    Option<String>,
    Option<bool>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

impl<ST, DB> Queryable<ST, DB> for User
where
    DB: Backend,
    UserRow: FromStaticSqlRow<ST, DB>,
{
    type Row = UserRow;

    fn build(row: UserRow) -> deserialize::Result<Self> {
        let (id, username, email, full_name, is_active, created_at, updated_at) = row;
        Ok(Self {
            id: UserId(id.0),
            username,
            email,
            full_name,
            is_active: is_active.unwrap_or(false),
            created_at,
            updated_at,
        })
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The hash stays out of every log.
        formatter
            .debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewUser")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
