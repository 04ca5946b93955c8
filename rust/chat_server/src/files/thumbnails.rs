//! Small pictures of uploaded images, made away from everything that must stay quick.

use std::sync::Arc;
use std::time::Duration;

use chat_database::FileRecord;
use chat_storage::{MediaType, ObjectKey, ObjectSource, make_thumbnail};
use tokio::runtime::Handle;

use super::library::FileLibrary;
use crate::error::ServiceError;
use crate::low_priority::LowPriorityThread;

/// How long an upload's answer waits for the thumbnail. One that comes later is
/// in the answers that come later.
const PATIENCE: Duration = Duration::from_secs(2);
/// A thumbnail has 512 × 512 pixels of four bytes before it is compressed.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The thread that makes them, one at a time: decoding a picture takes up to 160 MiB.
#[derive(Debug)]
pub(super) struct Thumbnails {
    thread: LowPriorityThread,
}

impl Thumbnails {
    pub(super) fn start() -> Result<Self, ServiceError> {
        let thread = LowPriorityThread::start("thumbnail")?;
        Ok(Self { thread })
    }
}

impl FileLibrary {
    /// Makes the thumbnails of new files and waits a moment for them.
    pub(super) async fn add_thumbnails(self: &Arc<Self>, files: &mut [FileRecord]) {
        if !self.database.keeps_thumbnails() {
            return;
        }
        let made = files.iter().map(|file| {
            let (library, file) = (Arc::clone(self), file.clone());
            tokio::spawn(async move { library.add_thumbnail(&file).await })
        });
        let made: Vec<_> = made.collect();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for (file, made) in files.iter_mut().zip(made) {
            let made = tokio::time::timeout_at(deadline, made).await;
            file.has_thumbnail = matches!(made, Ok(Ok(true)));
        }
    }

    /// Whether the file has a thumbnail now.
    async fn add_thumbnail(&self, file: &FileRecord) -> bool {
        let media_type = MediaType::parse(&file.content_type);
        let Some(media_type) = media_type.filter(|media_type| media_type.has_thumbnail()) else {
            return false;
        };
        let Some(key) = self.key_of(file) else {
            return false;
        };
        match self.try_thumbnail(file, media_type, &key).await {
            Ok(has_thumbnail) => has_thumbnail,
            Err(error) => {
                tracing::warn!(
                    file = file.id.0,
                    error = error.report(),
                    "no thumbnail was stored"
                );
                false
            }
        }
    }

    async fn try_thumbnail(
        &self,
        file: &FileRecord,
        media_type: MediaType,
        key: &ObjectKey,
    ) -> Result<bool, ServiceError> {
        let store = self.store()?;
        let (runtime, source) = (Handle::current(), (store.clone(), key.clone()));
        let made = self.thumbnails.thread.run(move || {
            let source = ObjectSource::open(runtime, source.0, source.1)?;
            Ok::<_, ServiceError>(make_thumbnail(media_type, source))
        });
        let picture = match made.await?? {
            Ok(picture) => picture,
            Err(error) => {
                // The file is what its uploader sent; that it is damaged is no news to us.
                tracing::debug!(file = file.id.0, %error, "a picture has no thumbnail");
                return Ok(false);
            }
        };
        let thumbnail = key.thumbnail();
        let mut writer = store.create(&thumbnail, MediaType::Webp, MAX_BYTES).await?;
        if let Err(error) = writer.write(&picture).await {
            writer.abort().await;
            return Err(error.into());
        }
        writer.finish().await?;
        let is_noted = self.database.add_thumbnail(file.id).await;
        if !matches!(is_noted, Ok(true)) {
            // The file was deleted meanwhile.
            store.delete(&thumbnail).await?;
        }
        Ok(is_noted?)
    }
}
