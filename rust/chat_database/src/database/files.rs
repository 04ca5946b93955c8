//! Files.

use chat_protocol::ids::{FileId, UserId};

use super::{Database, query};
use crate::error::DatabaseError;
use crate::models::{FileDetails, Page};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl Database {
    pub async fn find_file(&self, id: FileId) -> Result<Option<FileDetails>, DatabaseError> {
        let tables = self.file_tables();
        query!(self, read files::find(tables, id))
    }

    /// Whether the user uploaded the file or may read a room with a message
    /// that carries it; false if there is no such file.
    pub async fn file_visible_to(&self, file: FileId, user: UserId) -> Result<bool, DatabaseError> {
        let tables = self.file_tables();
        query!(self, read files::is_visible_to(tables, file, user))
    }

    /// What the user uploaded, newest first.
    pub async fn list_files_of_user(
        &self,
        user: UserId,
        page: Page,
    ) -> Result<Vec<FileDetails>, DatabaseError> {
        let tables = self.file_tables();
        query!(self, read files::list_of_user(tables, user, page))
    }
}
