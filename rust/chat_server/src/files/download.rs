//! Objects on their way to a client: who may read them, what of them is sent, and
//! what the headers say.

use std::time::SystemTime;

use chat_storage::{
    Disposition, DownloadAnswer, MediaType, ObjectKey, ObjectReader, ObjectStore, Representation,
    RequestHeaders, StorageError,
};
use tokio::sync::Mutex;

use crate::accounts::Identity;
use crate::chat::Chat;
use crate::error::ServiceError;

/// The headers of a request that decide what is sent.
#[derive(Clone, Debug, Default)]
pub struct DownloadRequest {
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<String>,
    pub if_range: Option<String>,
    pub range: Option<String>,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownloadOutcome {
    Whole,
    Part,
    NotModified,
    Unsatisfiable,
}

/// What the headers say.
#[derive(Clone, Debug)]
pub struct DownloadHead {
    pub outcome: DownloadOutcome,
    pub etag: String,
    pub modified: SystemTime,
    pub content_type: String,
    pub disposition: String,
    /// Whether a browser may show it in place.
    pub is_inline: bool,
    /// The bytes that follow.
    pub length: u64,
    pub content_range: Option<String>,
}

/// A download whose head is known.
#[derive(Debug)]
pub struct Download {
    pub head: DownloadHead,
    reader: Mutex<Option<ObjectReader>>,
}

impl Download {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// `Storage`: the answer must be cut off then.
    pub async fn next_chunk(&self) -> Result<Option<bytes::Bytes>, ServiceError> {
        match self.reader.lock().await.as_mut() {
            Some(reader) => Ok(reader.next_chunk().await?),
            None => Ok(None),
        }
    }
}

impl Chat {
    /// A file for whoever may see it, with its stored type and name.
    ///
    /// # Errors
    /// `FileNotFound`, `FileAccessDenied`, `Storage`.
    pub async fn download_file(
        &self,
        identity: &Identity,
        file_id: i64,
        request: DownloadRequest,
    ) -> Result<Download, ServiceError> {
        let details = self.visible_file(file_id, identity.user_id()).await?;
        let file = &details.file;
        let store = self.files.store()?;
        let key = self.files.key_of(file).ok_or(ServiceError::StoreMissing)?;
        let (content_type, name) = (file.content_type.as_str(), &file.original_filename);
        open(store, &key, content_type, name, request).await
    }

    /// An object by the address that answers and frames show: whoever knows it may
    /// read it, as with the public objects of a bucket. Only of a store that has no
    /// URLs of its own.
    ///
    /// # Errors
    /// `Storage` with a `NotFound`.
    pub async fn download_object(
        &self,
        key: &str,
        request: DownloadRequest,
    ) -> Result<Download, ServiceError> {
        let store = self.files.store()?;
        let key = ObjectKey::parse(key).ok_or(StorageError::NotFound)?;
        if !matches!(store, ObjectStore::Local(_)) {
            return Err(StorageError::NotFound.into());
        }
        let media_type = MediaType::of_extension(key.extension());
        let content_type = media_type.map_or("application/octet-stream", MediaType::as_str);
        open(store, &key, content_type, key.file_name(), request).await
    }
}

pub(super) async fn open(
    store: &ObjectStore,
    key: &ObjectKey,
    content_type: &str,
    name: &str,
    request: DownloadRequest,
) -> Result<Download, ServiceError> {
    let object = store.open(key).await?;
    let (info, etag) = (object.info(), key.etag());
    let answer = DownloadAnswer::decide(
        RequestHeaders {
            if_none_match: request.if_none_match.as_deref(),
            if_modified_since: request.if_modified_since.as_deref(),
            if_range: request.if_range.as_deref(),
            range: request.range.as_deref(),
        },
        Representation {
            etag: &etag,
            modified: Some(info.modified),
            size: info.size,
        },
    );
    let content_range = answer.content_range(info.size);
    let (outcome, range) = match answer {
        DownloadAnswer::Whole => (DownloadOutcome::Whole, Some(0..info.size)),
        DownloadAnswer::Part(range) => (DownloadOutcome::Part, Some(range)),
        DownloadAnswer::NotModified => (DownloadOutcome::NotModified, None),
        DownloadAnswer::Unsatisfiable => (DownloadOutcome::Unsatisfiable, None),
    };
    let disposition = Disposition::of(content_type);
    let head = DownloadHead {
        outcome,
        etag,
        modified: info.modified,
        content_type: content_type.to_owned(),
        disposition: disposition.header(name),
        is_inline: disposition == Disposition::Inline,
        length: range.as_ref().map_or(0, |range| range.end - range.start),
        content_range,
    };
    Ok(Download {
        head,
        reader: Mutex::new(range.map(|range| object.read(range))),
    })
}
