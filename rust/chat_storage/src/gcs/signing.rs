//! Signed URLs, made here with the key of the service account.

use std::time::Duration;

use gcloud_storage::client::{Client, ClientConfig};
use gcloud_storage::sign::{SignBy, SignedURLOptions, URLStyle};

use super::config::{GcsUrls, ValidConfig};
use super::connection::http_client;
use crate::error::StorageError;
use crate::key::ObjectKey;

/// Signs URLs for reading (V4). Makes no request.
pub(super) struct UrlSigner {
    client: Client,
    email: String,
    private_key: Vec<u8>,
    life: Duration,
    host: String,
    is_insecure: bool,
}

impl std::fmt::Debug for UrlSigner {
    /// Without the key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("UrlSigner")
            .field("email", &self.email)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

impl UrlSigner {
    /// Nothing if objects are public.
    pub(super) fn new(config: &ValidConfig) -> Result<Option<Self>, StorageError> {
        let GcsUrls::Signed(life) = config.urls else {
            return Ok(None);
        };
        let credentials = config.credentials.as_ref();
        let key = credentials.and_then(|file| {
            let (email, key) = (file.client_email.clone()?, file.private_key.clone()?);
            Some((email, key.into_bytes()))
        });
        let Some((email, private_key)) = key else {
            return Err(StorageError::InvalidConfiguration {
                key: "GOOGLE_APPLICATION_CREDENTIALS",
                found: "nothing that can sign URLs".to_owned(),
                expected: "the file with the key of a service account, as GCS_PUBLIC_URLS is false",
            });
        };
        let client_config = ClientConfig {
            http: Some(http_client()?),
            ..ClientConfig::default()
        };
        let (scheme, host) = config.endpoint.split_once("://").unwrap_or_default();
        Ok(Some(Self {
            client: Client::new(client_config.anonymous()),
            email,
            private_key,
            life,
            host: host.to_owned(),
            is_insecure: scheme == "http",
        }))
    }

    pub(super) async fn sign(&self, bucket: &str, key: &ObjectKey) -> Result<String, StorageError> {
        let options = SignedURLOptions {
            expires: self.life,
            insecure: self.is_insecure,
            style: Box::new(PathStyle(self.host.clone())),
            ..SignedURLOptions::default()
        };
        let signed = self.client.signed_url(
            bucket,
            key.as_str(),
            Some(self.email.clone()),
            Some(SignBy::PrivateKey(self.private_key.clone())),
            options,
        );
        // The error describes what is wrong with the key, never the key.
        signed
            .await
            .map_err(|error| StorageError::InvalidConfiguration {
                key: "GOOGLE_APPLICATION_CREDENTIALS",
                found: format!("a key that cannot sign: {error}"),
                expected: "the RSA key of a service account",
            })
    }
}

/// `https://<host>/<bucket>/<object>`, also for an emulator.
struct PathStyle(String);

impl URLStyle for PathStyle {
    fn host(&self, _bucket: &str) -> String {
        self.0.clone()
    }

    fn path(&self, bucket: &str, object: &str) -> String {
        format!("{bucket}/{object}")
    }
}
