//! Signed URLs, made here with the key of the service account.
//!
//! A signature takes a millisecond of a core and a page of history may hold
//! many, so a URL is given out again until half of its life is over.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gcloud_storage::client::{Client, ClientConfig};
use gcloud_storage::sign::{SignBy, SignedURLOptions, URLStyle};

use super::config::{GcsUrls, ValidConfig};
use super::connection::http_client;
use crate::error::StorageError;
use crate::key::ObjectKey;

/// URLs to remember; all are forgotten when there are more.
const MAX_REMEMBERED: usize = 10_000;

/// Signs URLs for reading (V4). Makes no request.
pub(super) struct UrlSigner {
    client: Client,
    email: String,
    private_key: Vec<u8>,
    life: Duration,
    host: String,
    is_insecure: bool,
    made: Mutex<HashMap<ObjectKey, (Instant, String)>>,
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
            made: Mutex::default(),
        }))
    }

    /// A URL with at least half of its life before it.
    pub(super) async fn sign(&self, bucket: &str, key: &ObjectKey) -> Result<String, StorageError> {
        if let Some(url) = self.remembered(key) {
            return Ok(url);
        }
        // From before, so that the URL lives longer than is believed.
        let at = Instant::now();
        let url = self.make(bucket, key).await?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() >= MAX_REMEMBERED {
            made.clear();
        }
        made.insert(key.clone(), (at, url.clone()));
        Ok(url)
    }

    fn remembered(&self, key: &ObjectKey) -> Option<String> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, url) = made.get(key)?;
        (at.elapsed() < self.life / 2).then(|| url.clone())
    }

    async fn make(&self, bucket: &str, key: &ObjectKey) -> Result<String, StorageError> {
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
