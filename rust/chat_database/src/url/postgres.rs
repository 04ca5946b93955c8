//! The PostgreSQL form of `DATABASE_URL`, with libpq's query parameters.
//!
//! One host per URL. The user information is found the way SQLAlchemy does
//! it, so that a password with an unescaped `/` or `?`, which worked with the
//! original service, still works.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::{invalid, query_pairs, split_query};
use crate::error::DatabaseError;

const DEFAULT_PORT: u16 = 5432;
/// A server that does not answer for this long counts as unavailable.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Where Debian's and most other packages put the server's socket.
const DEFAULT_SOCKET_FOLDER: &str = "/var/run/postgresql";

/// How to reach a PostgreSQL database.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// A host name, an address, or (with a leading `/`) the folder of a unix socket.
    pub host: String,
    pub port: u16,
    /// `None`: the name of the operating system's user.
    pub user: Option<String>,
    pub(crate) password: Option<String>,
    /// `None`: the same as the user.
    pub database: Option<String>,
    pub ssl_mode: SslMode,
    pub root_certificates: RootCertificates,
    pub connect_timeout: Duration,
    pub application_name: Option<String>,
    /// Command line options for the session, such as `-c search_path=chat`.
    pub options: Option<String>,
    /// The login has to prove that it is the server at the end of the TLS connection.
    pub requires_channel_binding: bool,
    pub target_session: TargetSession,
}

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// Without TLS, and with it if the server insists.
    Allow,
    /// With TLS, and without if the server cannot.
    Prefer,
    /// TLS; the certificate is checked only if `sslrootcert` is given.
    Require,
    /// TLS with a certificate of a trusted authority.
    VerifyCa,
    /// TLS with a certificate of a trusted authority for this very host.
    VerifyFull,
}

/// libpq's `sslrootcert`: whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootCertificates {
    /// Not given; where a check is asked for, the system's.
    Unspecified,
    /// The operating system's store.
    System,
    /// A PEM file.
    File(PathBuf),
}

/// libpq's `target_session_attrs`, as far as it makes sense for one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetSession {
    Any,
    ReadWrite,
    ReadOnly,
}

impl PostgresUrl {
    /// Reads what follows `postgresql://`.
    pub(super) fn parse(rest: &str) -> Result<Self, DatabaseError> {
        let (user_information, rest) = split_user_information(rest);
        let (location, query) = split_query(rest);
        let (authority, database) = match location.split_once('/') {
            Some((authority, database)) => (authority, decode("database name", database)?),
            None => (location, None),
        };
        let (user, password) = match user_information {
            Some(text) => match text.split_once(':') {
                Some((user, password)) => (decode("user", user)?, decode("password", password)?),
                None => (decode("user", text)?, None),
            },
            None => (None, None),
        };
        let (host, port) = parse_authority(authority)?;
        let mut url = Self {
            host: host.unwrap_or_else(default_host),
            port: port.unwrap_or(DEFAULT_PORT),
            user,
            password,
            database,
            ssl_mode: SslMode::Prefer,
            root_certificates: RootCertificates::Unspecified,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            application_name: None,
            options: None,
            requires_channel_binding: false,
            target_session: TargetSession::Any,
        };
        url.apply_parameters(query)?;
        Ok(url)
    }

    /// Whether the server is reached through a unix socket, where libpq
    /// never uses TLS.
    pub fn is_unix_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    fn apply_parameters(&mut self, query: &str) -> Result<(), DatabaseError> {
        let mut ssl_mode = None;
        for (key, raw) in query_pairs(query) {
            let value = decode(key, raw)?.unwrap_or_default();
            match key {
                // asyncpg's name for the same thing.
                "sslmode" | "ssl" => ssl_mode = Some(SslMode::parse(&value)?),
                "sslrootcert" if value == "system" => {
                    self.root_certificates = RootCertificates::System;
                }
                "sslrootcert" if !value.is_empty() => {
                    self.root_certificates = RootCertificates::File(value.into());
                }
                "connect_timeout" => self.connect_timeout = parse_timeout(&value)?,
                "application_name" => self.application_name = Some(value),
                "options" => self.options = Some(value),
                "target_session_attrs" => self.target_session = TargetSession::parse(&value)?,
                "host" if value.contains(',') => return Err(several_hosts()),
                "host" if !value.is_empty() => self.host = value,
                "port" => self.port = parse_port(&value)?,
                "user" => self.user = Some(value),
                "password" => self.password = Some(value),
                "dbname" => self.database = Some(value),
                "channel_binding" => {
                    self.requires_channel_binding = parse_channel_binding(&value)?;
                }
                _ if is_promise_that_is_not_kept(key, &value) => {
                    return Err(invalid(format!(
                        "{key}={value} was found, which is not supported and is not ignored, \
                         because it is about security; expected a URL without {key}"
                    )));
                }
                "sslcert" | "sslkey" => {
                    return Err(invalid(format!(
                        "{key} was found, but logging in with a client certificate is not \
                         supported; expected a password"
                    )));
                }
                _ => tracing::warn!(key, "parameter of DATABASE_URL ignored"),
            }
        }
        self.ssl_mode = match (ssl_mode, &self.root_certificates) {
            // As libpq: anything weaker would trust every holder of a public
            // certificate.
            (None | Some(SslMode::VerifyFull), RootCertificates::System) => SslMode::VerifyFull,
            (Some(_), RootCertificates::System) => {
                return Err(invalid(
                    "sslrootcert=system was found with a weaker sslmode; expected \
                     sslmode=verify-full",
                ));
            }
            (mode, _) => mode.unwrap_or(SslMode::Prefer),
        };
        if self.requires_channel_binding {
            self.require_tls()?;
        }
        Ok(())
    }

    /// There is a channel to bind to with TLS only.
    fn require_tls(&mut self) -> Result<(), DatabaseError> {
        if self.is_unix_socket() || self.ssl_mode == SslMode::Disable {
            return Err(invalid(
                "channel_binding=require was found where there is no TLS (sslmode=disable or a \
                 unix socket); expected sslmode=require, or a URL without channel_binding",
            ));
        }
        if matches!(self.ssl_mode, SslMode::Allow | SslMode::Prefer) {
            self.ssl_mode = SslMode::Require;
        }
        Ok(())
    }
}

impl SslMode {
    fn parse(value: &str) -> Result<Self, DatabaseError> {
        Ok(match value.to_ascii_lowercase().as_str() {
            "disable" | "false" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" | "true" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                return Err(invalid(format!(
                    "sslmode is \"{value}\"; expected disable, allow, prefer, require, \
                     verify-ca or verify-full"
                )));
            }
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl TargetSession {
    fn parse(value: &str) -> Result<Self, DatabaseError> {
        Ok(match value {
            "any" => Self::Any,
            "read-write" | "primary" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            _ => {
                return Err(invalid(format!(
                    "target_session_attrs is \"{value}\"; expected any, read-write or read-only"
                )));
            }
        })
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("postgresql://")?;
        if let Some(user) = &self.user {
            formatter.write_str(user)?;
            if self.password.is_some() {
                formatter.write_str(":***")?;
            }
            formatter.write_str("@")?;
        }
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)?;
        } else {
            write!(formatter, "{}:{}", self.host, self.port)?;
        }
        if let Some(database) = &self.database {
            write!(formatter, "/{database}")?;
        }
        write!(formatter, "?sslmode={}", self.ssl_mode.as_str())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PostgresUrl({self})")
    }
}

/// Splits `user:password@` off.
///
/// An `@` before the first `/` or `?` ends it (the last one, so that an
/// unescaped `@` in the password works). Otherwise, if what stands behind the
/// first colon cannot be a port, it is a password with an unescaped slash.
fn split_user_information(rest: &str) -> (Option<&str>, &str) {
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    let end = authority.rfind('@').or_else(|| {
        let (_, port) = authority.split_once(':')?;
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty();
        if is_port { None } else { rest.find('@') }
    });
    match end {
        Some(end) => (Some(&rest[..end]), &rest[end + 1..]),
        None => (None, rest),
    }
}

fn parse_authority(authority: &str) -> Result<(Option<String>, Option<u16>), DatabaseError> {
    if authority.contains(',') {
        return Err(several_hosts());
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let Some((address, rest)) = bracketed.split_once(']') else {
                return Err(invalid("the [ of an IPv6 address is not closed"));
            };
            match rest.strip_prefix(':') {
                None if !rest.is_empty() => {
                    return Err(invalid("expected :port after the ] of an IPv6 address"));
                }
                port => (address, port.unwrap_or_default()),
            }
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let port = match port {
        "" => None,
        port => Some(parse_port(port)?),
    };
    Ok((decode("host", host)?, port))
}

fn parse_port(text: &str) -> Result<u16, DatabaseError> {
    // The text is not repeated: after a password with an unescaped @ or / it
    // can be a part of the password.
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(invalid(
            "the port is not a number from 1 to 65535; expected \
             postgresql://user:password@host:5432/database, with special characters of user and \
             password percent-encoded (for example @ as %40, / as %2F)",
        )),
    }
}

fn parse_channel_binding(text: &str) -> Result<bool, DatabaseError> {
    match text {
        "require" => Ok(true),
        "" | "prefer" | "disable" => Ok(false),
        _ => Err(invalid(format!(
            "channel_binding is \"{text}\"; expected disable, prefer or require"
        ))),
    }
}

/// Whether libpq would refuse connections because of this parameter that this service
/// would make.
fn is_promise_that_is_not_kept(key: &str, value: &str) -> bool {
    if value.is_empty() {
        return false;
    }
    match key {
        // How the server may ask for the password, lists of certificates that are no
        // longer valid, who must be at the other end of a unix socket.
        "require_auth" | "sslcrl" | "sslcrldir" | "requirepeer" => true,
        // Versions below 1.2 are never spoken, and 1.3 is not refused.
        "ssl_min_protocol_version" => !matches!(value, "TLSv1" | "TLSv1.1" | "TLSv1.2"),
        "ssl_max_protocol_version" => value != "TLSv1.3",
        "gssencmode" | "sslcertmode" => value == "require",
        // The name of the host is sent in clear.
        "sslsni" => value == "0",
        _ => false,
    }
}

/// Seconds as libpq reads them: zero or less means no limit, for which an
/// hour stands in.
fn parse_timeout(text: &str) -> Result<Duration, DatabaseError> {
    const NO_LIMIT_SECONDS: u64 = 3600;
    let seconds: i64 = text.trim().parse().map_err(|_| {
        invalid(format!(
            "connect_timeout is \"{text}\"; expected a whole number of seconds"
        ))
    })?;
    Ok(Duration::from_secs(match u64::try_from(seconds) {
        Ok(seconds @ 1..=NO_LIMIT_SECONDS) => seconds,
        _ => NO_LIMIT_SECONDS,
    }))
}

/// Percent-decodes; an empty text is `None`.
fn decode(what: &str, text: &str) -> Result<Option<String>, DatabaseError> {
    let decoded = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| invalid(format!("the {what} is not UTF-8 after percent-decoding")))?;
    if decoded.contains('\0') {
        return Err(invalid(format!("the {what} contains a NUL character")));
    }
    Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
}

fn default_host() -> String {
    if std::path::Path::new(DEFAULT_SOCKET_FOLDER).is_dir() {
        DEFAULT_SOCKET_FOLDER.to_owned()
    } else {
        "localhost".to_owned()
    }
}

fn several_hosts() -> DatabaseError {
    invalid("several hosts were found; expected one")
}
