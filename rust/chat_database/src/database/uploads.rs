//! Storing and deleting files.

use chat_protocol::ids::FileId;
use chrono::{DateTime, Utc};

use super::{Database, query};
use crate::error::DatabaseError;
use crate::models::{FileRecord, NewFile};

/// Every method may fail with [`DatabaseError::Unavailable`].
///
/// Where the tables for it could not be created, nothing is announced and
/// nothing has a thumbnail, see [`Additions`](crate::Additions).
impl Database {
    /// Names an object of the store that no row stands for, and when it is to
    /// be deleted, should none come.
    pub async fn announce_object(
        &self,
        object_key: String,
        due_at: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        if self.lacks_additions() {
            return Ok(());
        }
        query!(self, write uploads::announce(&object_key, due_at))
    }

    /// Objects that are to be deleted now.
    pub async fn list_due_objects(&self, limit: i64) -> Result<Vec<String>, DatabaseError> {
        if self.lacks_additions() {
            return Ok(Vec::new());
        }
        query!(self, read uploads::list_due(limit))
    }

    /// Makes all announced objects due: for the start, when no upload is under way.
    pub async fn make_all_objects_due(&self) -> Result<(), DatabaseError> {
        if self.lacks_additions() {
            return Ok(());
        }
        query!(self, write uploads::make_all_due())
    }

    /// Strikes off announced objects that are gone.
    pub async fn forget_objects(&self, object_keys: Vec<String>) -> Result<(), DatabaseError> {
        if self.lacks_additions() || object_keys.is_empty() {
            return Ok(());
        }
        query!(self, write uploads::forget(object_keys.clone()))
    }

    /// Inserts the rows of finished objects and strikes these off, all or none;
    /// gives the rows in the same order.
    ///
    /// # Errors
    /// [`DatabaseError::UserNotFound`] if an uploader is gone.
    pub async fn insert_files(
        &self,
        files: Vec<NewFile>,
    ) -> Result<Vec<FileRecord>, DatabaseError> {
        let tables = self.file_tables();
        query!(self, transaction uploads::insert(tables, &files))
    }

    /// Notes that the file has a thumbnail; false if the file is gone. Only where
    /// the database [keeps them](Self::keeps_thumbnails).
    pub async fn add_thumbnail(&self, file: FileId) -> Result<bool, DatabaseError> {
        let tables = self.file_tables();
        query!(self, transaction uploads::add_thumbnail(tables, file))
    }

    /// Deletes a file's row; the messages that carry it stay, without it. The
    /// objects become due in the same transaction.
    ///
    /// # Errors
    /// [`DatabaseError::FileNotFound`].
    pub async fn delete_file(
        &self,
        file: FileId,
        object_keys: Vec<String>,
    ) -> Result<(), DatabaseError> {
        let tables = self.file_tables();
        query!(self, transaction uploads::delete(tables, file, &object_keys))
    }

    /// Whether there is a place to note thumbnails.
    pub fn keeps_thumbnails(&self) -> bool {
        !self.lacks_additions()
    }

    fn lacks_additions(&self) -> bool {
        !self.file_tables().has_additions
    }
}
