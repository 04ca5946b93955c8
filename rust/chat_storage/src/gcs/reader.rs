//! Reading an object as a stream that goes on where it broke.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use gcloud_storage::http::Error;
use gcloud_storage::http::objects::Object;
use gcloud_storage::http::objects::download::Range as HttpRange;
use gcloud_storage::http::objects::get::GetObjectRequest;

use super::failure::{is_missing, is_transient, storage_error};
use super::retry::{MAX_TRIES, pause};
use super::{Bucket, modified};
use crate::error::StorageError;
use crate::key::ObjectKey;
use crate::store::ObjectInfo;

/// An object whose metadata has been read.
#[derive(Debug)]
pub(crate) struct GcsObject {
    bucket: Arc<Bucket>,
    key: ObjectKey,
    generation: i64,
    info: ObjectInfo,
}

impl GcsObject {
    pub(super) fn new(
        bucket: Arc<Bucket>,
        key: ObjectKey,
        object: &Object,
    ) -> Result<Self, StorageError> {
        let info = ObjectInfo {
            size: u64::try_from(object.size).map_err(StorageError::internal)?,
            modified: modified(object),
        };
        Ok(Self {
            bucket,
            key,
            generation: object.generation,
            info,
        })
    }

    pub(crate) fn info(&self) -> ObjectInfo {
        self.info
    }

    pub(crate) fn read(self, range: Range<u64>) -> GcsReader {
        GcsReader {
            bucket: self.bucket,
            request: GetObjectRequest {
                object: self.key.to_string(),
                // What was looked at is what is read.
                generation: Some(self.generation),
                ..Default::default()
            },
            range,
            stream: None,
            tries: 1,
        }
    }
}

type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// Reads what is left of a range.
pub(crate) struct GcsReader {
    bucket: Arc<Bucket>,
    request: GetObjectRequest,
    range: Range<u64>,
    stream: Option<ByteStream>,
    /// Since the last byte that came.
    tries: u32,
}

impl fmt::Debug for GcsReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GcsReader")
            .field("object", &self.request.object)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl GcsReader {
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<Bytes>, StorageError> {
        while !self.range.is_empty() {
            let item = match &mut self.stream {
                Some(stream) => stream.next().await,
                None => match self.connect().await? {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        continue;
                    }
                    Err(error) => Some(Err(error)),
                },
            };
            match item {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(mut chunk)) => {
                    let left = self.range.end - self.range.start;
                    // More than was asked for is not passed on.
                    chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len()));
                    self.range.start += chunk.len() as u64;
                    self.tries = 1;
                    return Ok(Some(chunk));
                }
                // Ended too early, or broke off: ask for the rest.
                None if self.tries < MAX_TRIES => self.wait().await,
                Some(Err(error)) if is_transient(&error) && self.tries < MAX_TRIES => {
                    self.wait().await;
                }
                Some(Err(error)) if is_missing(&error) => return Err(StorageError::NotFound),
                Some(Err(error)) => return Err(storage_error(error)),
                None => return Err(StorageError::unavailable("the object ended too early")),
            }
        }
        Ok(None)
    }

    async fn wait(&mut self) {
        self.stream = None;
        pause(self.tries).await;
        self.tries += 1;
    }

    async fn connect(&mut self) -> Result<Result<ByteStream, Error>, StorageError> {
        self.request.bucket.clone_from(&self.bucket.name);
        let client = self.bucket.connection.client().await?;
        let range = HttpRange(Some(self.range.start), Some(self.range.end - 1));
        let opened = client.download_streamed_object(&self.request, &range).await;
        Ok(opened.map(|stream| Box::pin(stream) as ByteStream))
    }
}
