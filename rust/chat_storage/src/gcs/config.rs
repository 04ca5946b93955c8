//! What a bucket needs to be known, and whether it makes sense.

use std::path::PathBuf;
use std::time::Duration;

use gcloud_storage::client::google_cloud_auth::credentials::CredentialsFile;

use crate::error::StorageError;

const ENDPOINT: &str = "https://storage.googleapis.com";
/// The longest life of a V4 signature.
const MAX_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The configuration of a bucket.
#[derive(Clone, Debug)]
pub struct GcsConfig {
    /// `GCS_BUCKET_NAME`.
    pub bucket: String,
    /// `GOOGLE_APPLICATION_CREDENTIALS`: the file with a service account's key.
    /// Needed but for an emulator, to which requests are anonymous.
    pub credentials: Option<PathBuf>,
    /// `STORAGE_EMULATOR_HOST`: a URL, or host and port; needs no credentials.
    pub emulator_host: Option<String>,
    pub urls: GcsUrls,
}

/// How others read objects (`GCS_PUBLIC_URLS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcsUrls {
    /// Objects are readable for everybody, as those of the original.
    Public,
    /// Objects are private; URLs are signed and live this long, at most seven days.
    Signed(Duration),
}

/// A configuration that has been checked.
pub(super) struct ValidConfig {
    pub(super) bucket: String,
    /// Scheme, host and port, without a slash at the end.
    pub(super) endpoint: String,
    pub(super) credentials: Option<CredentialsFile>,
    pub(super) urls: GcsUrls,
}

impl GcsConfig {
    pub(super) fn validate(self) -> Result<ValidConfig, StorageError> {
        if !is_bucket_name(&self.bucket) {
            return Err(StorageError::InvalidConfiguration {
                key: "GCS_BUCKET_NAME",
                found: self.bucket,
                expected: "3 to 222 of a-z, 0-9, '-', '_' and '.'",
            });
        }
        if let GcsUrls::Signed(life) = self.urls
            && !(Duration::from_secs(1)..=MAX_LIFE).contains(&life)
        {
            return Err(StorageError::InvalidConfiguration {
                key: "GCS_PUBLIC_URLS",
                found: format!("signed URLs with a life of {life:?}"),
                expected: "a life of one second to seven days",
            });
        }
        let endpoint = match &self.emulator_host {
            Some(host) => emulator_endpoint(host)?,
            None => ENDPOINT.to_owned(),
        };
        let credentials = match &self.credentials {
            // An emulator needs a key only to have URLs signed.
            Some(_) if self.emulator_host.is_some() && self.urls == GcsUrls::Public => None,
            None if self.emulator_host.is_some() => None,
            Some(path) => Some(read_credentials(path)?),
            None => return Err(invalid_credentials("not set".to_owned())),
        };
        Ok(ValidConfig {
            bucket: self.bucket,
            endpoint,
            credentials,
            urls: self.urls,
        })
    }
}

impl ValidConfig {
    pub(super) fn is_emulator(&self) -> bool {
        self.endpoint != ENDPOINT
    }
}

/// The rules for names, as far as they protect URLs; the cloud knows the rest.
fn is_bucket_name(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
    };
    (3..=222).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('.')
}

/// Like Google's clients, which differ in whether they want the scheme.
fn emulator_endpoint(host: &str) -> Result<String, StorageError> {
    let url = match host.contains("://") {
        true => host.to_owned(),
        false => format!("http://{host}"),
    };
    let parsed = reqwest::Url::parse(&url).ok();
    let usable = parsed.filter(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/"
    });
    match usable {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Err(StorageError::InvalidConfiguration {
            key: "STORAGE_EMULATOR_HOST",
            found: host.to_owned(),
            expected: "a URL like http://localhost:9023",
        }),
    }
}

fn read_credentials(path: &PathBuf) -> Result<CredentialsFile, StorageError> {
    let shown = path.display();
    let text =
        std::fs::read(path).map_err(|error| invalid_credentials(format!("{shown}: {error}")))?;
    // The error of the parser may quote the file.
    let credentials: CredentialsFile = serde_json::from_slice(&text)
        .map_err(|_| invalid_credentials(format!("{shown}: not the JSON of credentials")))?;
    match credentials.tp.as_str() {
        "service_account" if credentials.private_key.is_some() => Ok(credentials),
        other => Err(invalid_credentials(format!(
            "{shown}: credentials of type {other:?}"
        ))),
    }
}

fn invalid_credentials(found: String) -> StorageError {
    StorageError::InvalidConfiguration {
        key: "GOOGLE_APPLICATION_CREDENTIALS",
        found,
        expected: "the file with the key of a service account",
    }
}
