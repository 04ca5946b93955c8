//! What everything about files shares: the store, the database, the limits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_database::{Database, FileRecord};
use chat_storage::{
    Foreground, GcsConfig, GoogleCloudStorage, LocalFolder, ObjectKey, ObjectStore, StorageError,
};
use chrono::Utc;
use tokio::runtime::Handle;

use super::allowance::Allowance;
use super::thumbnails::Thumbnails;
use crate::error::ServiceError;
use crate::low_priority::LowPriorityRuntime;

/// How long somebody who deletes a file waits for the object to be gone as well.
const DELETION_PATIENCE: Duration = Duration::from_secs(3);

/// The path of served objects below the public address of the service; the other
/// end is `chat_app/routers/uploads.py`.
pub(super) const SERVED_PATH: &str = "/api/uploads/files/";

/// Where files are kept.
#[derive(Clone, Debug)]
pub enum StorageConfig {
    Local {
        folder: PathBuf,
        /// Where clients reach the service, without a slash at the end. None: every file keeps the address under
        /// which it was uploaded.
        public_base_url: Option<String>,
    },
    Gcs(GcsConfig),
}

/// The files of the service.
#[derive(Debug)]
pub(crate) struct FileLibrary {
    pub(super) database: Database,
    /// None if the folder cannot be used, or for a bucket without credentials.
    store: Option<ObjectStore>,
    /// See [`StorageConfig::Local`].
    public_base_url: Option<String>,
    foreground: Foreground,
    pub(super) thumbnails: Thumbnails,
    /// Where bodies are read and checked. What is asked of the database from there
    /// goes back to `runtime`, which drives its connections.
    pub(super) receiving: LowPriorityRuntime,
    runtime: Handle,
    pub(super) allowance: Allowance,
    pub(super) max_file_bytes: u64,
}

impl FileLibrary {
    /// Opens the store; a bucket need not be reachable.
    ///
    /// # Errors
    /// `Storage` with an `InvalidConfiguration`.
    pub(crate) async fn open(
        config: StorageConfig,
        max_file_bytes: u64,
        database: Database,
    ) -> Result<Arc<Self>, ServiceError> {
        let foreground = Foreground::new();
        let public_base_url = match &config {
            StorageConfig::Local {
                public_base_url, ..
            } => public_base_url.clone(),
            StorageConfig::Gcs(_) => None,
        };
        Ok(Arc::new(Self {
            database,
            public_base_url,
            store: open_store(config, foreground.clone()).await?,
            foreground,
            thumbnails: Thumbnails::start()?,
            receiving: LowPriorityRuntime::start("upload")?,
            runtime: Handle::current(),
            allowance: Allowance::default(),
            max_file_bytes,
        }))
    }

    /// A message is about to be stored: uploads leave it the disk.
    pub(crate) fn give_way(&self) {
        self.foreground.touch();
    }

    /// The store.
    ///
    /// # Errors
    /// `StoreMissing`.
    pub(super) fn store(&self) -> Result<&ObjectStore, ServiceError> {
        self.store.as_ref().ok_or(ServiceError::StoreMissing)
    }

    /// The address of an object that the service serves itself; `stored` is the one of its row, or of the row beside.
    pub(super) fn served_url(&self, stored: &str, key: &ObjectKey, wanted: &ObjectKey) -> String {
        match &self.public_base_url {
            Some(base) => format!("{base}{SERVED_PATH}{wanted}"),
            None => stored.replace(key.as_str(), wanted.as_str()),
        }
    }

    /// The object behind a row, if it lies in this store.
    pub(super) fn key_of(&self, file: &FileRecord) -> Option<ObjectKey> {
        self.store.as_ref()?.key_of(&file.public_url)
    }

    pub(super) async fn delete(self: &Arc<Self>, file: &FileRecord) -> Result<(), ServiceError> {
        let keys: Vec<ObjectKey> = self
            .key_of(file)
            .into_iter()
            .flat_map(|key| [key.thumbnail(), key])
            .collect();
        let names = keys.iter().map(ToString::to_string).collect();
        self.database.delete_file(file.id, names).await?;
        let _ = tokio::time::timeout(DELETION_PATIENCE, self.remove(keys)).await;
        Ok(())
    }

    /// Names an object that is about to be written, and when it counts as left over.
    pub(super) async fn announce_new(
        self: &Arc<Self>,
        key: &ObjectKey,
        due_in: Duration,
    ) -> Result<(), ServiceError> {
        let (library, name) = (Arc::clone(self), key.to_string());
        let due_at = Utc::now() + due_in;
        let announcing = async move { library.database.announce_object(name, due_at).await };
        let announced = self.runtime.spawn(announcing).await;
        Ok(announced.map_err(|error| ServiceError::Internal(error.to_string()))??)
    }

    /// Deletes announced objects and takes back the announcements of those that
    /// are gone. The others stay announced. Goes on if nobody waits any more.
    pub(super) async fn remove(self: &Arc<Self>, keys: Vec<ObjectKey>) {
        let library = Arc::clone(self);
        let removal = self
            .runtime
            .spawn(async move { library.remove_here(keys).await });
        if let Err(error) = removal.await {
            tracing::error!(%error, "objects were not removed");
        }
    }

    async fn remove_here(&self, keys: Vec<ObjectKey>) {
        let Ok(store) = self.store() else {
            return;
        };
        let mut gone = Vec::with_capacity(keys.len());
        for key in keys {
            match store.delete(&key).await {
                Ok(()) => gone.push(key.to_string()),
                Err(error) => {
                    tracing::warn!(%key, error = error.report(), "an object could not be deleted yet");
                    self.announce(&key, Duration::from_secs(300)).await;
                }
            }
        }
        if let Err(error) = self.database.forget_objects(gone).await {
            // They are deleted once more then, which is no error.
            tracing::debug!(error = error.report(), "deleted objects stay announced");
        }
    }

    async fn announce(&self, key: &ObjectKey, due_in: Duration) {
        let due_at = Utc::now() + due_in;
        if let Err(error) = self.database.announce_object(key.to_string(), due_at).await {
            tracing::debug!(
                error = error.report(),
                "an object could not be announced again"
            );
        }
    }
}

async fn open_store(
    config: StorageConfig,
    foreground: Foreground,
) -> Result<Option<ObjectStore>, ServiceError> {
    match config {
        StorageConfig::Gcs(config) => match GoogleCloudStorage::new(config) {
            Ok(bucket) => {
                let store = ObjectStore::Gcs(bucket);
                tokio::spawn(report_unreachable(store.clone()));
                Ok(Some(store))
            }
            // The chat goes on without the cloud (contract sections 9 and 12, D20).
            Err(
                error @ StorageError::InvalidConfiguration {
                    key: "GOOGLE_APPLICATION_CREDENTIALS",
                    ..
                },
            ) => {
                tracing::error!("files cannot be uploaded: {}", error.report());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        },
        // Some old settings name a folder that was never used.
        StorageConfig::Local { folder, .. } => match LocalFolder::open(&folder, foreground).await {
            Ok(folder) => Ok(Some(ObjectStore::Local(folder))),
            Err(error) => {
                tracing::warn!("files cannot be uploaded: {}", error.report());
                Ok(None)
            }
        },
    }
}

/// Tells the operator early; requests find out for themselves.
async fn report_unreachable(store: ObjectStore) {
    if let Err(error) = store.check().await {
        tracing::warn!("the bucket cannot be used now: {}", error.report());
    }
}
