//! Records of uploaded files, and who may see them (contract sections 7.3 and 7.6).

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
        Ok(to_json(&FileAnswer::from(&details)))
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
        Ok(to_json(
            &files.iter().map(FileAnswer::from).collect::<Vec<_>>(),
        ))
    }

    pub(crate) async fn visible_file(
        &self,
        file_id: i64,
        user_id: UserId,
    ) -> Result<FileDetails, ServiceError> {
        let id = FileId::from_client(file_id).ok_or(DatabaseError::FileNotFound)?;
        let details = self
            .database
            .find_file(id)
            .await?
            .ok_or(DatabaseError::FileNotFound)?;
        if details.file.uploader_id == user_id || self.database.file_visible_to(id, user_id).await?
        {
            Ok(details)
        } else {
            Err(ServiceError::FileAccessDenied)
        }
    }
}

pub(crate) fn summary_of(details: &FileDetails) -> FileSummary {
    let file = &details.file;
    FileSummary {
        id: file.id,
        original_filename: file.original_filename.clone(),
        public_url: file.public_url.clone(),
        content_type: file.content_type.clone(),
        file_size: file.file_size,
    }
}
