//! Table `compat_accounts`.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use crate::schema::compat::compat_accounts;

/// The systems with accounts, rooms and stored messages; each is a space of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    WsHub,
    Webrtc,
}

impl System {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WsHub => "ws-hub",
            Self::Webrtc => "webrtc",
        }
    }
}

/// An account as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub(crate) key: i64,
    pub id: String,
    pub username: String,
    /// In lower case.
    pub email: String,
    pub created_at: DateTime<Utc>,
}

/// An account with what the log-in compares.
#[derive(Clone)]
pub struct AccountCredentials {
    pub account: Account,
    pub hashed_password: String,
}

/// An account to register.
#[derive(Clone)]
pub struct NewAccount {
    pub system: System,
    pub id: String,
    pub username: String,
    /// In lower case.
    pub email: String,
    pub hashed_password: String,
}

/// The outcome of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    Created(Account),
    /// Looked at first.
    EmailTaken,
    UsernameTaken,
}

pub(crate) const ACCOUNT_COLUMNS: (
    compat_accounts::id,
    compat_accounts::public_id,
    compat_accounts::username,
    compat_accounts::email,
    compat_accounts::created_at,
) = (
    compat_accounts::id,
    compat_accounts::public_id,
    compat_accounts::username,
    compat_accounts::email,
    compat_accounts::created_at,
);

type Row = (i64, String, String, String, DateTime<Utc>);

impl<ST, DB> Queryable<ST, DB> for Account
where
    DB: Backend,
    Row: FromStaticSqlRow<ST, DB>,
{
    type Row = Row;

    fn build(row: Row) -> deserialize::Result<Self> {
        let (key, id, username, email, created_at) = row;
        Ok(Self {
            key,
            id,
            username,
            email,
            created_at,
        })
    }
}

impl fmt::Debug for AccountCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The hash stays out of every log.
        formatter
            .debug_struct("AccountCredentials")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NewAccount")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
