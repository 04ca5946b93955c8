//! Public images of the sibling systems: objects of the same store under keys of
//! their own, which whoever knows the name may read.
//!
//! They have no rows: an image exists if its object does. It is announced while it
//! is written, as every object is, and stays when its announcement is taken back.

use std::sync::Arc;

use bytes::Bytes;
use chat_storage::{ContentCheck, ContentError, MediaType, ObjectKey, StorageError, picture_type};

use super::download::{Download, DownloadRequest, open};
use super::intake::{DUE_AFTER, upload_failed};
use super::library::FileLibrary;
use crate::error::ServiceError;

impl FileLibrary {
    /// Stores a picture, of the type its content has.
    ///
    /// # Errors
    /// `FileTypeNotAllowed` if it is no picture, `ImageTooLarge`, `StoreMissing`,
    /// `UploadFailed`, or of the database. Nothing stays then.
    pub(crate) async fn store_public_image(
        self: &Arc<Self>,
        content: Bytes,
    ) -> Result<ObjectKey, ServiceError> {
        let media_type = check(&content)?;
        self.store()?;
        let key = ObjectKey::generate_public_image(media_type);
        self.announce_new(&key, DUE_AFTER).await?;
        let (library, written) = (Arc::clone(self), key.clone());
        let writing = async move { library.write_image(&written, media_type, &content).await };
        if let Err(error) = self.receiving.run(writing).await? {
            self.remove(vec![key]).await;
            return Err(error);
        }
        // If this fails it stays announced, and is removed in its time.
        self.database.forget_objects(vec![key.to_string()]).await?;
        Ok(key)
    }

    async fn write_image(
        &self,
        key: &ObjectKey,
        media_type: MediaType,
        content: &[u8],
    ) -> Result<(), ServiceError> {
        let max_bytes = content.len() as u64;
        let created = self.store()?.create(key, media_type, max_bytes).await;
        let mut writer = created.map_err(upload_failed)?;
        if let Err(error) = writer.write(content).await {
            writer.abort().await;
            return Err(upload_failed(error));
        }
        writer.finish().await.map_err(upload_failed)?;
        Ok(())
    }

    /// The image of this name; none if there is none.
    ///
    /// # Errors
    /// `StoreMissing`, `Storage`.
    pub(crate) async fn open_public_image(
        &self,
        name: &str,
        request: DownloadRequest,
    ) -> Result<Option<Download>, ServiceError> {
        let Some(key) = ObjectKey::of_public_image(name) else {
            return Ok(None);
        };
        let media_type = MediaType::of_extension(key.extension());
        let content_type = media_type.map_or("application/octet-stream", MediaType::as_str);
        match open(self.store()?, &key, content_type, name, request).await {
            Ok(download) => Ok(Some(download)),
            Err(ServiceError::Storage(StorageError::NotFound)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn check(content: &[u8]) -> Result<MediaType, ServiceError> {
    let no_picture = ServiceError::FileTypeNotAllowed { declared: None };
    let Some(media_type) = picture_type(content) else {
        return Err(no_picture);
    };
    let mut check = ContentCheck::new(media_type);
    let checked = check.feed(content).and_then(|()| check.finish());
    match checked {
        Ok(_) => Ok(media_type),
        Err(ContentError::ImageTooLarge { .. }) => Err(ServiceError::ImageTooLarge),
        Err(_) => Err(no_picture),
    }
}
