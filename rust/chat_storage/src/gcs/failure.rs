//! What the errors of the library mean.

use gcloud_storage::http::Error;

use crate::error::StorageError;

/// A failed request, without the address it went to: that of an upload session
/// is a secret that lets anybody write.
pub(super) fn storage_error(error: Error) -> StorageError {
    let is_transient = is_transient(&error);
    let status = status(&error);
    let error = without_address(error);
    match status {
        _ if is_transient => StorageError::unavailable(error),
        // The key, the rights or the bucket: nothing of it comes back by itself.
        Some(401 | 403 | 404) => StorageError::refused(error),
        Some(400..=499) => StorageError::internal(error),
        _ => StorageError::unavailable(error),
    }
}

/// The object, the session or the bucket does not exist.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(status(error), Some(404 | 410))
}

/// Whether the same request may succeed in a moment (Google's retry strategy).
pub(super) fn is_transient(error: &Error) -> bool {
    match status(error) {
        Some(code) => matches!(code, 408 | 429 | 500..=599),
        None => matches!(error, Error::HttpClient(_) | Error::TokenSource(_)),
    }
}

/// The status of the answer, if there was one.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::Response(response) => Some(response.code),
        Error::HttpClient(error) | Error::RawResponse(error, _) => {
            error.status().map(|status| status.as_u16())
        }
        _ => None,
    }
}

fn without_address(error: Error) -> Error {
    match error {
        Error::HttpClient(error) => Error::HttpClient(error.without_url()),
        Error::RawResponse(error, detail) => Error::RawResponse(error.without_url(), detail),
        other => other,
    }
}
