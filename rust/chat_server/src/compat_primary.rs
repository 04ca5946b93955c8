//! What the sibling systems ask of this service: its accounts, its password threads,
//! and the store of its files.

use std::sync::Arc;

use bytes::Bytes;
use chat_compat::{
    BoxFuture, CompatError, Conditions, Content, ContentSource, Image, ImageOutcome, ImageRefusal,
    Primary, PrimaryUser,
};
use chat_storage::{ObjectKey, StorageError};

use crate::chat::Chat;
use crate::error::ServiceError;
use crate::files::{Download, DownloadOutcome, DownloadRequest};

impl Primary for Chat {
    fn find_bearer<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<PrimaryUser>, CompatError>> {
        Box::pin(async move {
            let Ok(bearer) = self.identify(token) else {
                return Ok(None);
            };
            match self.authenticate(&bearer).await {
                Ok(identity) => Ok(Some(PrimaryUser {
                    id: identity.user_id(),
                    username: identity.user.username,
                })),
                Err(ServiceError::InvalidToken | ServiceError::InactiveUser) => Ok(None),
                Err(error) => Err(to_compat(error)),
            }
        })
    }

    fn hash_password(&self, password: String) -> BoxFuture<'_, Result<String, CompatError>> {
        Box::pin(async move { self.passwords.hash(password).await.map_err(to_compat) })
    }

    fn verify_password(
        &self,
        password: String,
        hash: Option<String>,
    ) -> BoxFuture<'_, Result<bool, CompatError>> {
        Box::pin(async move {
            let verified = self.passwords.verify(password, hash).await;
            verified.map_err(to_compat)
        })
    }

    fn is_image_name(&self, name: &str) -> bool {
        ObjectKey::of_public_image(name).is_some()
    }

    fn store_image(
        &self,
        content: Bytes,
    ) -> BoxFuture<'_, Result<Result<String, ImageRefusal>, CompatError>> {
        Box::pin(async move {
            match self.files.store_public_image(content).await {
                Ok(key) => Ok(Ok(key.file_name().to_owned())),
                Err(ServiceError::FileTypeNotAllowed { .. }) => Ok(Err(ImageRefusal::NoImage)),
                Err(ServiceError::ImageTooLarge) => Ok(Err(ImageRefusal::TooLarge)),
                Err(error) => Err(to_compat(error)),
            }
        })
    }

    fn open_image<'a>(
        &'a self,
        name: &'a str,
        conditions: Conditions,
    ) -> BoxFuture<'a, Result<Option<Image>, CompatError>> {
        let request = DownloadRequest {
            if_none_match: conditions.if_none_match,
            if_modified_since: conditions.if_modified_since,
            if_range: conditions.if_range,
            range: conditions.range,
        };
        Box::pin(async move {
            let opened = self.files.open_public_image(name, request).await;
            Ok(opened.map_err(to_compat)?.map(to_image))
        })
    }
}

impl ContentSource for Download {
    fn next_chunk(&self) -> BoxFuture<'_, Result<Option<Bytes>, CompatError>> {
        Box::pin(async move { self.next_chunk().await.map_err(to_compat) })
    }
}

fn to_image(download: Download) -> Image {
    let head = &download.head;
    Image {
        outcome: match head.outcome {
            DownloadOutcome::Whole => ImageOutcome::Whole,
            DownloadOutcome::Part => ImageOutcome::Part,
            DownloadOutcome::NotModified => ImageOutcome::NotModified,
            DownloadOutcome::Unsatisfiable => ImageOutcome::Unsatisfiable,
        },
        etag: head.etag.clone(),
        modified: head.modified,
        content_type: head.content_type.clone(),
        content_range: head.content_range.clone(),
        content: Content {
            length: head.length,
            source: Arc::new(download),
        },
    }
}

fn to_compat(error: ServiceError) -> CompatError {
    match error {
        ServiceError::Database(error) => CompatError::Database(error),
        ServiceError::NotRunning => CompatError::NotRunning,
        ServiceError::StoreMissing
        | ServiceError::Storage(StorageError::Unavailable { .. })
        | ServiceError::UploadFailed {
            source: StorageError::Unavailable { .. },
        } => CompatError::StoreUnavailable(error.report()),
        other => CompatError::Internal(other.report()),
    }
}
