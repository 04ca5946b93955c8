//! Objects as files in a folder of this machine.
//!
//! Everything goes through the open folder, part by part and never through a
//! symbolic link, so nothing outside can be reached whatever stands in it. An
//! object is written under a name in `.incoming`, made durable, and renamed to
//! its place; what a crash leaves in `.incoming` is removed at the next start.
//!
//! One process owns the folder, as it does the database.

mod folder;
mod reader;
mod writer;

use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use self::folder::Folder;
pub(crate) use self::reader::{LocalObject, LocalReader};
pub(crate) use self::writer::LocalWriter;
use crate::error::StorageError;
use crate::foreground::Foreground;
use crate::key::ObjectKey;

/// A store in a folder (`UPLOAD_PATH`). Cheap to clone.
#[derive(Clone, Debug)]
pub struct LocalFolder {
    folder: Arc<Folder>,
}

impl LocalFolder {
    /// Opens the folder, which is created if it is missing, and removes what
    /// unfinished uploads have left there. Uploads give way to the `foreground`.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is no folder or cannot be written to.
    pub async fn open(path: &Path, foreground: Foreground) -> Result<Self, StorageError> {
        let path = path.to_owned();
        let opened = run(move || {
            let opened = Folder::open(&path, foreground).and_then(|folder| {
                folder.check()?;
                Ok(folder)
            });
            let folder = opened.map_err(|error| invalid(&path, &error))?;
            let removed = folder.remove_leftovers()?;
            if removed > 0 {
                tracing::info!(objects = removed, "removed unfinished uploads");
            }
            Ok(folder)
        });
        Ok(Self {
            folder: Arc::new(opened.await?),
        })
    }

    pub(crate) async fn create(&self, key: &ObjectKey) -> Result<LocalWriter, StorageError> {
        LocalWriter::create(Arc::clone(&self.folder), key.clone()).await
    }

    pub(crate) async fn open_object(&self, key: &ObjectKey) -> Result<LocalObject, StorageError> {
        let (folder, key) = (Arc::clone(&self.folder), key.clone());
        run(move || LocalObject::open(&folder, &key)).await
    }

    pub(crate) async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let (folder, key) = (Arc::clone(&self.folder), key.clone());
        run(move || Ok(folder.delete(&key)?)).await
    }

    pub(crate) async fn check(&self) -> Result<(), StorageError> {
        let folder = Arc::clone(&self.folder);
        run(move || folder.check().map_err(StorageError::unavailable)).await
    }
}

fn invalid(path: &Path, error: &std::io::Error) -> StorageError {
    tracing::debug!(%error, "the upload folder cannot be used");
    StorageError::InvalidConfiguration {
        key: "UPLOAD_PATH",
        found: path.display().to_string(),
        expected: "a folder that this user can write to",
    }
}

/// Runs something that waits for the disk.
async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StorageError::internal(error)),
    }
}
