//! Repeating what failed for a reason that may pass.

use std::time::Duration;

use gcloud_storage::http::Error;
use tokio::time::sleep;

use super::failure::is_transient;

/// How often something is tried in all. The client's timeouts bound each try.
pub(super) const MAX_TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Makes a request that can be repeated without harm, up to [`MAX_TRIES`] times.
pub(super) async fn repeat<T, F>(mut request: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut tries = 1;
    loop {
        match request().await {
            Err(error) if is_transient(&error) && tries < MAX_TRIES => {
                tracing::debug!(tries, "a request to the storage failed and is repeated");
                pause(tries).await;
                tries += 1;
            }
            other => return other,
        }
    }
}

/// Waits before the next try: 0.1, 0.2, 0.4 seconds.
pub(super) async fn pause(tries: u32) {
    sleep(FIRST_PAUSE * 2_u32.saturating_pow(tries - 1)).await;
}
