//! Uploaded files (contract section 7): into the store, out of it, and who may see them.
//!
//! A file is an object of the store and a row. The object comes first and goes
//! last: `intake.rs` announces it in the database, writes it, and inserts its row
//! in the transaction that takes the announcement back; deleting announces it
//! again. What is announced and due is removed by `cleaner.rs`, so nothing stays
//! whenever the process dies.

mod allowance;
pub(crate) mod cleaner;
mod download;
mod form;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod images;
mod intake;
mod library;
mod links;
mod socket_body;
mod thumbnails;
mod upload;

pub use self::download::{Download, DownloadHead, DownloadOutcome, DownloadRequest};
pub use self::form::UploadForm;
pub(crate) use self::library::FileLibrary;
pub use self::library::StorageConfig;
pub(crate) use self::links::FileLinks;
pub use self::upload::{Feed, Upload, UploadReport};

use chat_database::{DatabaseError, FileDetails, Page};
use chat_protocol::FileSummary;
use chat_protocol::ids::{FileId, UserId};

use crate::accounts::Identity;
use crate::answers::{FileAnswer, to_json};
use crate::chat::Chat;
use crate::error::ServiceError;

impl Chat {
    /// FileUpload, for its uploader and whoever can read a message that carries it.
    ///
    /// # Errors
    /// `FileNotFound`, `FileAccessDenied`.
    pub async fn get_file(
        &self,
        identity: &Identity,
        file_id: i64,
    ) -> Result<Vec<u8>, ServiceError> {
        let details = self.visible_file(file_id, identity.user_id()).await?;
        let links = self.files.links(&details.file).await;
        Ok(to_json(&FileAnswer::new(&details, &links)))
    }

    /// Array of the caller's own FileUpload, newest first.
    ///
    /// # Errors
    /// Only of the database.
    pub async fn list_files_of_user(
        &self,
        identity: &Identity,
        page: Page,
    ) -> Result<Vec<u8>, ServiceError> {
        let files = self
            .database
            .list_files_of_user(identity.user_id(), page)
            .await?;
        let links = self.files.links_of(files.iter()).await;
        let answers: Vec<_> = files
            .iter()
            .zip(&links)
            .map(|(details, links)| FileAnswer::new(details, links))
            .collect();
        Ok(to_json(&answers))
    }

    /// Deletes a file of the caller's own; messages that carry it stay, without it.
    ///
    /// # Errors
    /// `FileNotFound`, `NotFileOwner`.
    pub async fn delete_file(&self, identity: &Identity, file_id: i64) -> Result<(), ServiceError> {
        let details = self.file(file_id).await?;
        if details.file.uploader_id != identity.user_id() {
            return Err(ServiceError::NotFileOwner);
        }
        self.files.delete(&details.file).await
    }

    pub(crate) async fn visible_file(
        &self,
        file_id: i64,
        user_id: UserId,
    ) -> Result<FileDetails, ServiceError> {
        let details = self.file(file_id).await?;
        let id = details.file.id;
        if details.file.uploader_id == user_id || self.database.file_visible_to(id, user_id).await?
        {
            Ok(details)
        } else {
            Err(ServiceError::FileAccessDenied)
        }
    }

    async fn file(&self, file_id: i64) -> Result<FileDetails, ServiceError> {
        let id = FileId::from_client(file_id).ok_or(DatabaseError::FileNotFound)?;
        let found = self.database.find_file(id).await?;
        Ok(found.ok_or(DatabaseError::FileNotFound)?)
    }
}

/// What a frame says of a file.
pub(crate) fn summary_of(details: &FileDetails, links: FileLinks) -> FileSummary {
    let file = &details.file;
    FileSummary {
        id: file.id,
        original_filename: file.original_filename.clone(),
        public_url: links.public_url,
        content_type: file.content_type.clone(),
        file_size: file.file_size,
        thumbnail_url: links.thumbnail_url,
    }
}
