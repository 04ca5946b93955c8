//! Files of one form on their way into the store: each is announced, checked and
//! written as it streams in; the rows come when the whole form has been read.

use std::sync::Arc;
use std::time::Duration;

use chat_database::{FileDetails, NewFile, User};
use chat_storage::{
    ContentCheck, ContentError, MediaType, ObjectKey, ObjectUrl, ObjectWriter, StorageError,
    display_name,
};
use chrono::Utc;

use super::form::FilePart;
use super::library::{FileLibrary, SERVED_PATH};
use crate::error::ServiceError;

/// When an object without a row counts as left over: longer than any upload takes.
pub(super) const DUE_AFTER: Duration = Duration::from_secs(2 * 60 * 60);

/// What one form has brought so far.
#[derive(Debug)]
pub(super) struct Intake {
    library: Arc<FileLibrary>,
    uploader: Arc<User>,
    /// Where clients reach the service, without a slash at the end.
    base_url: String,
    finished: Vec<(ObjectKey, NewFile)>,
}

impl Intake {
    pub(super) fn new(library: Arc<FileLibrary>, uploader: Arc<User>, base_url: String) -> Self {
        Self {
            library,
            uploader,
            base_url,
            finished: Vec::new(),
        }
    }

    /// Reads a file to its end and into the store.
    ///
    /// # Errors
    /// Why this file is refused (see [`is_refusal`]), or why the whole upload ends.
    pub(super) async fn take(&mut self, part: &mut FilePart) -> Result<(), ServiceError> {
        let declared = part.declared_type.as_deref();
        let Some(media_type) = declared.and_then(MediaType::parse) else {
            // Whether it is too large is said first.
            self.skip(part, 0).await?;
            return Err(type_not_allowed(part));
        };
        let key = ObjectKey::generate(Utc::now(), media_type);
        let library = Arc::clone(&self.library);
        let store = library.store()?;
        library.announce_new(&key, DUE_AFTER).await?;
        let mut writer = store
            .create(&key, media_type, library.max_file_bytes)
            .await?;
        let written = self.write(part, media_type, &mut writer).await;
        let refused = match written {
            Ok(None) => None,
            Ok(Some(refused)) => Some(refused),
            Err(error) => {
                writer.abort().await;
                return Err(self.give_up(key, error).await);
            }
        };
        if let Some(refused) = refused {
            let size = writer.size();
            writer.abort().await;
            library.remove(vec![key]).await;
            self.skip(part, size).await?;
            return Err(match refused {
                ContentError::ImageTooLarge { .. } => ServiceError::ImageTooLarge,
                _ => type_not_allowed(part),
            });
        }
        let size = match writer.finish().await {
            Ok(size) => size,
            Err(error) => return Err(self.give_up(key, upload_failed(error)).await),
        };
        let file = NewFile {
            original_filename: display_name(&part.name),
            object_key: key.to_string(),
            file_size: i32::try_from(size).unwrap_or(i32::MAX),
            content_type: media_type.as_str().to_owned(),
            public_url: match store.address(&key) {
                ObjectUrl::External(url) => url,
                ObjectUrl::Served => format!("{}{SERVED_PATH}{key}", self.base_url),
            },
            uploader_id: self.uploader.id,
        };
        self.finished.push((key, file));
        Ok(())
    }

    /// Forgets the last finished file.
    pub(super) async fn drop_last(&mut self) {
        if let Some((key, _)) = self.finished.pop() {
            self.library.remove(vec![key]).await;
        }
    }

    /// Inserts the rows; gives the files in the order of the form.
    ///
    /// # Errors
    /// Of the database. The objects stay announced then and are not removed at once:
    /// if only the answer was lost, their rows are there.
    pub(super) async fn commit(self) -> Result<Vec<FileDetails>, ServiceError> {
        if self.finished.is_empty() {
            return Ok(Vec::new());
        }
        let files = self.finished.iter().map(|(_, file)| file.clone()).collect();
        let mut records = self.library.database.insert_files(files).await?;
        self.library.add_thumbnails(&mut records).await;
        let with_uploader = |file| FileDetails {
            file,
            uploader: Arc::clone(&self.uploader),
        };
        Ok(records.into_iter().map(with_uploader).collect())
    }

    /// Removes everything the form has brought.
    pub(super) async fn discard(self) {
        let keys = self.finished.into_iter().map(|(key, _)| key).collect();
        self.library.remove(keys).await;
    }

    /// Gives why the content is refused as soon as that is clear, with the rest unread.
    async fn write(
        &self,
        part: &mut FilePart,
        media_type: MediaType,
        writer: &mut ObjectWriter,
    ) -> Result<Option<ContentError>, ServiceError> {
        let mut check = ContentCheck::new(media_type);
        while let Some(chunk) = part.chunk().await? {
            writer.write(&chunk).await.map_err(|error| match error {
                StorageError::TooLarge { .. } => self.too_large(),
                error => upload_failed(error),
            })?;
            if let Err(refused) = check.feed(&chunk) {
                return Ok(Some(refused));
            }
        }
        Ok(check.finish().err())
    }

    /// Reads what is left of a refused file, of which `size` bytes have come.
    async fn skip(&self, part: &mut FilePart, mut size: u64) -> Result<(), ServiceError> {
        while let Some(chunk) = part.chunk().await? {
            size += chunk.len() as u64;
            if size > self.library.max_file_bytes {
                return Err(self.too_large());
            }
        }
        Ok(())
    }

    async fn give_up(&self, key: ObjectKey, error: ServiceError) -> ServiceError {
        self.library.remove(vec![key]).await;
        error
    }

    pub(super) fn too_large(&self) -> ServiceError {
        ServiceError::FileTooLarge {
            max_bytes: self.library.max_file_bytes,
        }
    }
}

/// Whether an error is about one file, so that the others of the form go on.
pub(super) fn is_refusal(error: &ServiceError) -> bool {
    matches!(
        error,
        ServiceError::FileTooLarge { .. }
            | ServiceError::FileTypeNotAllowed { .. }
            | ServiceError::ImageTooLarge
            | ServiceError::UploadFailed { .. }
    )
}

fn type_not_allowed(part: &FilePart) -> ServiceError {
    ServiceError::FileTypeNotAllowed {
        declared: part.declared_type.clone(),
    }
}

pub(super) fn upload_failed(source: StorageError) -> ServiceError {
    ServiceError::UploadFailed { source }
}
