//! Objects in a bucket of Google Cloud Storage, or of an emulator.
//!
//! Speaks the JSON API through `gcloud-storage`. Every request has a timeout,
//! and those that may be repeated are, a bounded number of times. Credentials
//! come from where the configuration says and nowhere else: neither the
//! environment nor the metadata server of the cloud is asked.

mod config;
mod connection;
mod failure;
mod reader;
mod retry;
mod signing;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use gcloud_storage::http::objects::Object;
use gcloud_storage::http::objects::delete::DeleteObjectRequest;
use gcloud_storage::http::objects::get::GetObjectRequest;
use gcloud_storage::http::objects::list::ListObjectsRequest;

pub use self::config::{GcsConfig, GcsUrls};
use self::connection::Connection;
use self::failure::{is_missing, storage_error};
pub(crate) use self::reader::{GcsObject, GcsReader};
use self::retry::repeat;
use self::signing::UrlSigner;
pub(crate) use self::writer::GcsWriter;
use crate::error::StorageError;
use crate::key::ObjectKey;
use crate::media_type::MediaType;

/// A store in a bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GoogleCloudStorage {
    bucket: Arc<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    name: String,
    connection: Connection,
    /// The start of all public URLs.
    base_url: String,
    /// Present if URLs are signed, and objects therefore private.
    signer: Option<UrlSigner>,
    /// Whether the bucket has been seen to refuse access rights of single objects.
    refuses_acls: AtomicBool,
}

impl GoogleCloudStorage {
    /// Checks the configuration. Makes no request: the bucket need not be
    /// reachable, or there, yet.
    ///
    /// # Errors
    /// `InvalidConfiguration`.
    pub fn new(config: GcsConfig) -> Result<Self, StorageError> {
        let config = config.validate()?;
        let connection = Connection::new(&config)?;
        let signer = UrlSigner::new(&config)?;
        let bucket = Bucket {
            base_url: format!("{}/{}", config.endpoint, config.bucket),
            name: config.bucket,
            connection,
            signer,
            refuses_acls: AtomicBool::new(false),
        };
        Ok(Self {
            bucket: Arc::new(bucket),
        })
    }

    pub(crate) async fn create(
        &self,
        key: &ObjectKey,
        media_type: MediaType,
    ) -> Result<GcsWriter, StorageError> {
        GcsWriter::create(Arc::clone(&self.bucket), key.clone(), media_type).await
    }

    pub(crate) async fn open_object(&self, key: &ObjectKey) -> Result<GcsObject, StorageError> {
        let object = self.bucket.find(key).await?;
        GcsObject::new(Arc::clone(&self.bucket), key.clone(), &object)
    }

    pub(crate) async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        self.bucket.delete(key).await
    }

    pub(crate) async fn check(&self) -> Result<(), StorageError> {
        self.bucket.check().await
    }

    pub(crate) fn address(&self, key: &ObjectKey) -> String {
        self.bucket.address(key)
    }

    pub(crate) fn key_of(&self, address: &str) -> Option<ObjectKey> {
        let path = address.strip_prefix(&self.bucket.base_url)?;
        ObjectKey::parse(path.strip_prefix('/')?)
    }

    pub(crate) async fn url(&self, key: &ObjectKey) -> Result<String, StorageError> {
        match &self.bucket.signer {
            Some(signer) => signer.sign(&self.bucket.name, key).await,
            None => Ok(self.bucket.address(key)),
        }
    }
}

impl Bucket {
    async fn find(&self, key: &ObjectKey) -> Result<Object, StorageError> {
        let request = GetObjectRequest {
            bucket: self.name.clone(),
            object: key.to_string(),
            ..Default::default()
        };
        let client = self.connection.client().await?;
        let found = repeat(|| client.get_object(&request)).await;
        found.map_err(|error| match is_missing(&error) {
            true => StorageError::NotFound,
            false => storage_error(error),
        })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let request = DeleteObjectRequest {
            bucket: self.name.clone(),
            object: key.to_string(),
            ..Default::default()
        };
        let client = self.connection.client().await?;
        match repeat(|| client.delete_object(&request)).await {
            Err(error) if !is_missing(&error) => Err(storage_error(error)),
            _ => Ok(()),
        }
    }

    async fn check(&self) -> Result<(), StorageError> {
        let request = ListObjectsRequest {
            bucket: self.name.clone(),
            max_results: Some(1),
            ..Default::default()
        };
        let client = self.connection.client().await?;
        let listed = repeat(|| client.list_objects(&request)).await;
        listed.map(drop).map_err(storage_error)
    }

    fn address(&self, key: &ObjectKey) -> String {
        format!("{}/{key}", self.base_url)
    }
}

fn modified(object: &Object) -> SystemTime {
    let time = object.time_created.or(object.updated);
    time.map_or(UNIX_EPOCH, SystemTime::from)
}
