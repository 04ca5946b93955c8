//! The client, made when it is first needed: with credentials that takes a
//! request, and the service has to start without.

use std::time::Duration;

use gcloud_storage::client::google_cloud_auth::credentials::CredentialsFile;
use gcloud_storage::client::{Client, ClientConfig};
use reqwest_middleware::ClientWithMiddleware;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::config::ValidConfig;
use crate::error::StorageError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes and keeps the client.
pub(super) struct Connection {
    http: ClientWithMiddleware,
    endpoint: String,
    credentials: Option<CredentialsFile>,
    client: OnceCell<Client>,
}

impl std::fmt::Debug for Connection {
    /// The credentials are not for anybody's eyes.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("endpoint", &self.endpoint)
            .field("anonymous", &self.credentials.is_none())
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(config: &ValidConfig) -> Result<Self, StorageError> {
        let credentials = match config.is_emulator() {
            true => None,
            false => config.credentials.clone(),
        };
        Ok(Self {
            http: http_client()?,
            endpoint: config.endpoint.clone(),
            credentials,
            client: OnceCell::new(),
        })
    }

    /// The client.
    ///
    /// # Errors
    /// `Unavailable` if Google does not give a token now; asks again next time.
    pub(super) async fn client(&self) -> Result<&Client, StorageError> {
        self.client.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Client, StorageError> {
        let config = ClientConfig {
            http: Some(self.http.clone()),
            storage_endpoint: self.endpoint.clone(),
            ..ClientConfig::default()
        };
        let config = match &self.credentials {
            None => config.anonymous(),
            Some(credentials) => {
                let login = timeout(LOGIN_TIMEOUT, config.with_credentials(credentials.clone()));
                let logged_in = login.await.map_err(StorageError::unavailable)?;
                logged_in.map_err(StorageError::unavailable)?
            }
        };
        Ok(Client::new(config))
    }
}

/// A client of HTTP with TLS by ring and the certificates of the system.
pub(super) fn http_client() -> Result<ClientWithMiddleware, StorageError> {
    // The library makes clients of its own for tokens, which take the provider
    // of the process. Somebody may have set it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
        .map_err(StorageError::internal)?;
    Ok(reqwest_middleware::ClientBuilder::new(client).build())
}
