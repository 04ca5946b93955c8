//! Opens single PostgreSQL sessions the way `DATABASE_URL` asks for.
//!
//! Every session is driven by its own task, which ends when the client half
//! is dropped or the connection breaks; from then on the client half reports
//! itself closed. A vanished server is noticed by keepalives within a minute.

use std::fmt;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::config::{ChannelBinding, SslMode as WireSslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::make_tls;
use crate::error::DatabaseError;
use crate::url::{PostgresUrl, SslMode, TargetSession};

/// What the server shows in `pg_stat_activity` unless the URL says otherwise.
const APPLICATION_NAME: &str = "izpochat";

/// How long the few sessions that are needed once are waited for while the server is
/// full, and between two attempts.
const FULL_TIMEOUT: Duration = Duration::from_secs(5);
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// For attempts while the server grants no more sessions.
pub(super) struct FullPatience {
    end: Instant,
}

impl FullPatience {
    pub(super) fn begin() -> Self {
        Self {
            end: Instant::now() + FULL_TIMEOUT,
        }
    }

    pub(super) fn is_left_for(&self, error: &DatabaseError) -> bool {
        error.is_server_full() && Instant::now() < self.end
    }

    pub(super) async fn pause() {
        tokio::time::sleep(FULL_PAUSE).await;
    }
}

/// Opens sessions on one database.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    transport: Transport,
    /// Tried if the server does not take the first.
    second_transport: Option<Transport>,
    timeout: Duration,
}

/// A bare session and the task that drives it.
pub(super) struct Session {
    pub(super) client: Client,
    /// Ends when the connection does.
    pub(super) end: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Plain,
    /// TLS if the server offers it.
    TlsIfOffered,
    Tls,
}

impl Connector {
    /// Prepares everything that can be wrong without asking the server.
    ///
    /// # Errors
    /// [`DatabaseError::InvalidUrl`] if the certificates to trust cannot be read.
    pub(crate) fn new(url: &PostgresUrl) -> Result<Self, DatabaseError> {
        let mut config = Config::new();
        config
            .host(&url.host)
            .port(url.port)
            .application_name(url.application_name.as_deref().unwrap_or(APPLICATION_NAME))
            .connect_timeout(url.connect_timeout)
            .keepalives_idle(Duration::from_secs(20))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(4)
            .tcp_user_timeout(Duration::from_secs(40))
            .target_session_attrs(match url.target_session {
                TargetSession::Any => TargetSessionAttrs::Any,
                TargetSession::ReadWrite => TargetSessionAttrs::ReadWrite,
                TargetSession::ReadOnly => TargetSessionAttrs::ReadOnly,
            });
        if url.requires_channel_binding {
            config.channel_binding(ChannelBinding::Require);
        }
        if let Some(user) = &url.user {
            config.user(user);
        }
        if let Some(password) = &url.password {
            config.password(password);
        }
        if let Some(database) = &url.database {
            config.dbname(database);
        }
        if let Some(options) = &url.options {
            config.options(options);
        }
        let (transport, second_transport) = match url.ssl_mode {
            _ if url.is_unix_socket() => (Transport::Plain, None),
            SslMode::Disable => (Transport::Plain, None),
            SslMode::Allow => (Transport::Plain, Some(Transport::Tls)),
            SslMode::Prefer => (Transport::TlsIfOffered, Some(Transport::Plain)),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Transport::Tls, None),
        };
        Ok(Self {
            config,
            tls: make_tls(url)?,
            transport,
            second_transport,
            timeout: url.connect_timeout,
        })
    }

    /// The same database under another application name.
    pub(super) fn with_application_name(&self, name: &str) -> Self {
        let mut renamed = self.clone();
        renamed.config.application_name(name);
        renamed
    }

    /// Opens a session for diesel, or fails at once.
    ///
    /// # Errors
    /// As [`open_client`](Self::open_client).
    pub(crate) async fn open(&self) -> Result<AsyncPgConnection, DatabaseError> {
        let client = self.open_session().await?.client;
        match tokio::time::timeout(self.timeout, AsyncPgConnection::try_from(client)).await {
            Ok(connection) => connection.map_err(|error| match error {
                diesel::ConnectionError::CouldntSetupConfiguration(error) => error.into(),
                error => DatabaseError::unavailable(error),
            }),
            Err(_) => Err(timed_out()),
        }
    }

    /// Opens a bare session.
    ///
    /// # Errors
    /// [`DatabaseError::LoginFailed`] if the server refuses user, password or
    /// database; [`DatabaseError::Unavailable`] if it cannot be reached in
    /// time or TLS fails. A refused connection is reported at once; for a server
    /// that grants no more sessions it waits a few seconds, since it takes servers a
    /// moment to notice that a session has ended.
    pub(crate) async fn open_client(&self) -> Result<Client, DatabaseError> {
        let patience = FullPatience::begin();
        loop {
            match self.open_session().await {
                Err(error) if patience.is_left_for(&error) => FullPatience::pause().await,
                opened => return Ok(opened?.client),
            }
        }
    }

    /// Opens a session for diesel, waiting as [`open_client`](Self::open_client) does.
    ///
    /// # Errors
    /// As [`open_client`](Self::open_client).
    pub(crate) async fn open_patiently(&self) -> Result<AsyncPgConnection, DatabaseError> {
        let patience = FullPatience::begin();
        loop {
            match self.open().await {
                Err(error) if patience.is_left_for(&error) => FullPatience::pause().await,
                opened => return opened,
            }
        }
    }

    pub(super) async fn open_session(&self) -> Result<Session, DatabaseError> {
        match tokio::time::timeout(self.timeout, self.open_session_unbounded()).await {
            Ok(result) => result,
            Err(_) => Err(timed_out()),
        }
    }

    async fn open_session_unbounded(&self) -> Result<Session, DatabaseError> {
        let first = match self.try_transport(self.transport).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        match self.second_transport {
            Some(second) if another_transport_may_work(&first) => {
                tracing::debug!(error = %first, transport = ?second, "trying another transport");
                Ok(self.try_transport(second).await?)
            }
            _ => Err(first.into()),
        }
    }

    async fn try_transport(&self, transport: Transport) -> Result<Session, tokio_postgres::Error> {
        let mut config = self.config.clone();
        match transport {
            Transport::Plain => {
                config.ssl_mode(WireSslMode::Disable);
                connect_and_drive(&config, NoTls).await
            }
            Transport::TlsIfOffered => {
                config.ssl_mode(WireSslMode::Prefer);
                connect_and_drive(&config, self.tls.clone()).await
            }
            Transport::Tls => {
                config.ssl_mode(WireSslMode::Require);
                connect_and_drive(&config, self.tls.clone()).await
            }
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the configuration: it holds the password.
        formatter
            .debug_struct("Connector")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

async fn connect_and_drive<T>(config: &Config, tls: T) -> Result<Session, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    let end = tokio::spawn(drive(connection));
    Ok(Session { client, end })
}

async fn drive<S>(connection: Connection<Socket, S>)
where
    Connection<Socket, S>: Future<Output = Result<(), tokio_postgres::Error>>,
{
    if let Err(error) = connection.await {
        // Whoever uses the session gets an error of its own.
        tracing::debug!(%error, "a database session ended");
    }
}

/// As libpq: another transport is tried if the handshake fails, or if the
/// server's access rules do not admit this one; not after a wrong password.
fn another_transport_may_work(error: &tokio_postgres::Error) -> bool {
    // The driver does not export the kind of its errors.
    const TLS_FAILED: &str = "error performing TLS handshake";
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        || error.to_string() == TLS_FAILED
}

fn timed_out() -> DatabaseError {
    DatabaseError::unavailable("the server did not answer in time")
}
