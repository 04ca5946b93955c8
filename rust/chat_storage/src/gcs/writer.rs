//! Writing an object of unknown length in a resumable session: parts of a fixed
//! size, each sent until the bucket has it, and a checksum at the end.
//!
//! <https://cloud.google.com/storage/docs/performing-resumable-uploads>

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes, BytesMut};
use gcloud_storage::http::Error;
use gcloud_storage::http::object_access_controls::PredefinedObjectAcl;
use gcloud_storage::http::objects::Object;
use gcloud_storage::http::objects::upload::{Media, UploadObjectRequest, UploadType};
use gcloud_storage::http::resumable_upload_client::{
    ChunkSize, ResumableUploadClient, UploadStatus,
};

use super::Bucket;
use super::failure::{is_missing, is_transient, status, storage_error};
use super::retry::{MAX_TRIES, pause, repeat};
use crate::error::StorageError;
use crate::key::ObjectKey;
use crate::media_type::MediaType;

/// All parts but the last have to be multiples of this.
const QUANTUM_BYTES: u64 = 256 * 1024;
/// The size of a part. A writer holds one in memory.
const PART_BYTES: usize = 8 * QUANTUM_BYTES as usize;

/// Writes one object.
pub(crate) struct GcsWriter {
    bucket: Arc<Bucket>,
    key: ObjectKey,
    session: ResumableUploadClient,
    buffer: BytesMut,
    /// The bytes that the bucket has confirmed.
    sent: u64,
    checksum: u32,
}

impl fmt::Debug for GcsWriter {
    /// Without the session, whose address lets anybody write.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GcsWriter")
            .field("key", &self.key)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl GcsWriter {
    pub(super) async fn create(
        bucket: Arc<Bucket>,
        key: ObjectKey,
        media_type: MediaType,
    ) -> Result<Self, StorageError> {
        let session = start_session(&bucket, &key, media_type).await?;
        Ok(Self {
            bucket,
            key,
            session,
            buffer: BytesMut::new(),
            sent: 0,
            checksum: 0,
        })
    }

    pub(crate) async fn write(&mut self, mut chunk: &[u8]) -> Result<(), StorageError> {
        self.checksum = crc32c::crc32c_append(self.checksum, chunk);
        while !chunk.is_empty() {
            // Only when more has come: the last part must not be empty.
            if self.buffer.len() == PART_BYTES {
                let part = std::mem::take(&mut self.buffer).freeze();
                self.send(part, false).await?;
            }
            self.buffer.reserve(PART_BYTES - self.buffer.len());
            let taken = chunk.len().min(PART_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[taken..];
        }
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<(), StorageError> {
        let part = std::mem::take(&mut self.buffer).freeze();
        let object = self.send(part, true).await?;
        let object = object.ok_or_else(|| StorageError::internal("the upload did not end"))?;
        let stored = object.crc32c.as_deref().and_then(decode_checksum);
        if stored == Some(self.checksum) && u64::try_from(object.size) == Ok(self.sent) {
            return Ok(());
        }
        self.bucket.delete(&self.key).await?;
        Err(StorageError::internal(
            "the bucket has not stored what was sent",
        ))
    }

    pub(crate) async fn abort(self) {
        // Not every emulator knows this; the session ends by itself in a week.
        if let Err(error) = self.session.cancel().await {
            let error = storage_error(error).report();
            tracing::debug!(error, "an upload session could not be cancelled");
        }
    }

    /// Sends a part until the bucket has all of it; gives the object if it is
    /// the last one. Tries a bounded number of times without progress.
    async fn send(
        &mut self,
        mut part: Bytes,
        is_last: bool,
    ) -> Result<Option<Object>, StorageError> {
        let end = self.sent + part.len() as u64;
        let mut tries = 0;
        let mut result = self.put(&part, is_last).await;
        loop {
            tries += 1;
            result = match result {
                Ok(UploadStatus::Ok(object)) if is_last => {
                    self.sent = end;
                    return Ok(Some(object));
                }
                Ok(UploadStatus::Ok(_)) => {
                    return Err(StorageError::internal("the upload ended before its end"));
                }
                Ok(_) if tries == MAX_TRIES => {
                    return Err(StorageError::unavailable("the upload does not advance"));
                }
                Ok(UploadStatus::NotStarted) => self.put(&part, is_last).await,
                Ok(UploadStatus::ResumeIncomplete(range)) => {
                    let confirmed = confirmed_bytes(range.last_byte, end);
                    let moved = confirmed.checked_sub(self.sent).map(usize::try_from);
                    let Some(Ok(moved)) = moved.filter(|_| confirmed <= end) else {
                        return Err(StorageError::internal("the bucket lost a part"));
                    };
                    if moved > 0 {
                        part.advance(moved);
                        self.sent = confirmed;
                        tries = 0;
                    }
                    if part.is_empty() && !is_last {
                        return Ok(None);
                    }
                    self.put(&part, is_last).await
                }
                // What has arrived decides where to go on.
                Err(error) if is_transient(&error) && tries < MAX_TRIES => {
                    pause(tries).await;
                    self.session.status(is_last.then_some(end)).await
                }
                // The answer to the last part was lost, and the session went with it.
                Err(error) if is_last && tries > 1 && is_missing(&error) => {
                    let object = self.bucket.find(&self.key).await?;
                    self.sent = end;
                    return Ok(Some(object));
                }
                Err(error) => return Err(session_error(error)),
            };
        }
    }

    async fn put(&self, part: &Bytes, is_last: bool) -> Result<UploadStatus, Error> {
        let end = self.sent + part.len() as u64;
        let size = ChunkSize::new(self.sent, end.saturating_sub(1), is_last.then_some(end));
        self.session
            .upload_multiple_chunk(part.clone(), &size)
            .await
    }
}

/// How many bytes of the object the bucket has, up to this `end` of a part. All
/// that is not the end is a multiple of 256 KiB; the emulator says "0-0" when it
/// has nothing, where the cloud says nothing.
fn confirmed_bytes(last_byte: u64, end: u64) -> u64 {
    let reported = last_byte + 1;
    match reported >= end {
        true => reported,
        false => reported - reported % QUANTUM_BYTES,
    }
}

/// A session that is gone is no missing object.
fn session_error(error: Error) -> StorageError {
    match is_missing(&error) {
        true => StorageError::unavailable("the upload session is gone"),
        false => storage_error(error),
    }
}

/// Starts an upload. The object becomes readable for everybody where URLs are not signed,
/// unless the bucket decides who may read (uniform access, public access prevention).
async fn start_session(
    bucket: &Bucket,
    key: &ObjectKey,
    media_type: MediaType,
) -> Result<ResumableUploadClient, StorageError> {
    let mut media = Media::new(key.to_string());
    media.content_type = media_type.as_str().into();
    let upload = UploadType::Simple(media);
    let client = bucket.connection.client().await?;
    let start = async |acl: Option<PredefinedObjectAcl>| {
        let request = UploadObjectRequest {
            bucket: bucket.name.clone(),
            // Never writes over an object.
            if_generation_match: Some(0),
            predefined_acl: acl,
            ..Default::default()
        };
        repeat(|| client.prepare_resumable_upload(&request, &upload)).await
    };
    let wants_acl = bucket.signer.is_none() && !bucket.refuses_acls.load(Ordering::Relaxed);
    if wants_acl {
        match start(Some(PredefinedObjectAcl::PublicRead)).await {
            Ok(session) => return Ok(session),
            Err(error) if may_be_about_acl(&error) => {}
            Err(error) => return Err(storage_error(error)),
        }
    }
    let session = start(None).await.map_err(storage_error)?;
    // Without the access right it went well, so that is what was refused.
    if wants_acl && !bucket.refuses_acls.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            bucket = bucket.name,
            "the bucket decides itself who may read its objects (uniform access): public URLs \
             work if everybody may read the bucket; else set GCS_PUBLIC_URLS=false"
        );
    }
    Ok(session)
}

/// Whether a request may have been refused for the access right in it: 400 with uniform
/// access, 412 with public access prevention.
fn may_be_about_acl(error: &Error) -> bool {
    matches!(status(error), Some(400 | 412))
}

/// Four bytes in network order, in base64.
fn decode_checksum(text: &str) -> Option<u32> {
    let bytes = STANDARD.decode(text).ok()?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
