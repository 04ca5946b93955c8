//! Table `file_uploads`, in either of its layouts.

use std::sync::Arc;

use chat_protocol::ids::{FileId, UserId};
use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};

use super::{Int, User};
use crate::schema::{file_uploads, file_uploads_b};

/// A row of `file_uploads`, in the words of layout A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    pub id: FileId,
    pub original_filename: String,
    pub stored_filename: String,
    /// In bytes.
    pub file_size: i32,
    pub content_type: String,
    pub public_url: String,
    pub uploader_id: UserId,
    pub uploaded_at: Option<DateTime<Utc>>,
    pub has_thumbnail: bool,
}

/// A row to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    pub original_filename: String,
    /// The key of the object in the store.
    pub object_key: String,
    /// In bytes.
    pub file_size: i32,
    pub content_type: String,
    pub public_url: String,
    pub uploader_id: UserId,
}

impl FileRecord {
    /// Layout B keeps the whole object path where A keeps its last part.
    pub(crate) fn without_object_path(mut self) -> Self {
        self.stored_filename = last_part(&self.stored_filename).to_owned();
        self
    }
}

pub(crate) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A file with the user who uploaded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDetails {
    pub file: FileRecord,
    pub uploader: Arc<User>,
}

pub(crate) const FILE_COLUMNS: (
    file_uploads::id,
    file_uploads::original_filename,
    file_uploads::stored_filename,
    file_uploads::file_size,
    file_uploads::content_type,
    file_uploads::public_url,
    file_uploads::uploader_id,
    file_uploads::uploaded_at,
) = (
    file_uploads::id,
    file_uploads::original_filename,
    file_uploads::stored_filename,
    file_uploads::file_size,
    file_uploads::content_type,
    file_uploads::public_url,
    file_uploads::uploader_id,
    file_uploads::uploaded_at,
);

pub(crate) const FILE_COLUMNS_B: (
    file_uploads_b::id,
    file_uploads_b::filename,
    file_uploads_b::file_path,
    file_uploads_b::file_size,
    file_uploads_b::content_type,
    file_uploads_b::file_url,
    file_uploads_b::user_id,
    file_uploads_b::uploaded_at,
) = (
    file_uploads_b::id,
    file_uploads_b::filename,
    file_uploads_b::file_path,
    file_uploads_b::file_size,
    file_uploads_b::content_type,
    file_uploads_b::file_url,
    file_uploads_b::user_id,
    file_uploads_b::uploaded_at,
);

type FileRow = (
    Int,
    String,
    String,
    Int,
    String,
    String,
    Int,
    Option<DateTime<Utc>>,
);

impl<ST, DB> Queryable<ST, DB> for FileRecord
where
    DB: Backend,
    FileRow: FromStaticSqlRow<ST, DB>,
{
    type Row = FileRow;

    fn build(row: FileRow) -> deserialize::Result<Self> {
        let (id, original, stored, file_size, content_type, public_url, uploader, uploaded_at) =
            row;
        Ok(Self {
            id: FileId(id.0),
            original_filename: original,
            stored_filename: stored,
            file_size: file_size.0,
            content_type,
            public_url,
            uploader_id: UserId(uploader.0),
            uploaded_at,
            // Known from another table.
            has_thumbnail: false,
        })
    }
}
