//! `DATABASE_URL` as a type: which back end, and how to reach it.
//!
//! Understands the forms libpq and SQLAlchemy take, so that the URL of an
//! existing deployment works unchanged. Anything that cannot be honoured is
//! either refused with a text that says what was found and what is expected,
//! or (when it changes nothing about safety) ignored with a warning that names
//! the key. Neither `Debug`, `Display` nor any error shows the password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::DatabaseError;

mod postgres;

pub(crate) use self::postgres::{PostgresUrl, RootCertificates, SslMode, TargetSession};

/// A parsed `DATABASE_URL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    Postgres(Box<PostgresUrl>),
    Sqlite(SqliteUrl),
}

/// The file of an SQLite database; `sqlite:///relative.db`,
/// `sqlite:////absolute.db`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteUrl {
    path: PathBuf,
}

impl SqliteUrl {
    /// The database in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path as it was given; a relative one counts from the working folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`DatabaseError::InvalidUrl`] with what was found and what is expected.
    pub fn parse(text: &str) -> Result<Self, DatabaseError> {
        const EXPECTED: &str = "expected postgresql://user:password@host:5432/database or \
                                sqlite:///path/to/file.db";
        let text = text.trim();
        if text.is_empty() {
            return Err(invalid(format!("it is empty; {EXPECTED}")));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(invalid(format!("it has no scheme; {EXPECTED}")));
        };
        if rest.contains('\0') {
            return Err(invalid("it contains a NUL character"));
        }
        // SQLAlchemy's driver names say nothing here; the server is the same.
        match scheme.to_ascii_lowercase().as_str() {
            "postgresql"
            | "postgres"
            | "postgresql+psycopg2"
            | "postgresql+psycopg"
            | "postgresql+asyncpg"
            | "postgresql+pg8000" => {
                PostgresUrl::parse(rest).map(|url| Self::Postgres(Box::new(url)))
            }
            "sqlite" | "sqlite+pysqlite" | "sqlite+aiosqlite" => parse_sqlite(rest),
            other => Err(invalid(format!(
                "the scheme \"{other}\" is not supported; {EXPECTED}"
            ))),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(url) => fmt::Display::fmt(url, formatter),
            Self::Sqlite(url) => write!(formatter, "sqlite:///{}", url.path.display()),
        }
    }
}

fn parse_sqlite(rest: &str) -> Result<DatabaseUrl, DatabaseError> {
    let (location, query) = split_query(rest);
    for (key, _) in query_pairs(query) {
        tracing::warn!(key, "parameter of DATABASE_URL ignored");
    }
    match location.strip_prefix('/') {
        Some("" | ":memory:") => Err(invalid(
            "an SQLite database in memory is not supported; expected sqlite:///relative.db or \
             sqlite:////absolute.db",
        )),
        // SQLAlchemy takes the path as it is, without percent-decoding.
        Some(path) => Ok(DatabaseUrl::Sqlite(SqliteUrl::new(path))),
        None => Err(invalid(
            "an SQLite URL names a file and no host; expected sqlite:///relative.db (three slashes) or \
             sqlite:////absolute.db (four)",
        )),
    }
}

/// Splits off what follows the first question mark.
fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// The raw `key=value` pairs of a query.
fn query_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn invalid(reason: impl Into<String>) -> DatabaseError {
    DatabaseError::InvalidUrl {
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests;
