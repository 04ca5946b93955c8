//! Reading a file in pieces on blocking threads.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::folder::Folder;
use super::run;
use crate::error::StorageError;
use crate::key::ObjectKey;
use crate::store::ObjectInfo;

/// The size of a piece.
const CHUNK_BYTES: usize = 256 * 1024;

/// An open file.
#[derive(Debug)]
pub(crate) struct LocalObject {
    file: File,
    info: ObjectInfo,
}

impl LocalObject {
    pub(super) fn open(folder: &Folder, key: &ObjectKey) -> Result<Self, StorageError> {
        let file = folder.open_file(key)?;
        let metadata = file.metadata()?;
        let info = ObjectInfo {
            size: metadata.len(),
            modified: metadata.modified().unwrap_or(UNIX_EPOCH),
        };
        Ok(Self { file, info })
    }

    pub(crate) fn info(&self) -> ObjectInfo {
        self.info
    }

    pub(crate) fn read(self, range: Range<u64>) -> LocalReader {
        LocalReader {
            file: Arc::new(self.file),
            range,
        }
    }
}

/// Reads what is left of a range.
#[derive(Debug)]
pub(crate) struct LocalReader {
    file: Arc<File>,
    range: Range<u64>,
}

impl LocalReader {
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<Bytes>, StorageError> {
        let left = self.range.end - self.range.start;
        if left == 0 {
            return Ok(None);
        }
        let length = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        let (file, offset) = (Arc::clone(&self.file), self.range.start);
        self.range.start += length as u64;
        let chunk = run(move || {
            let mut chunk = vec![0; length];
            // A file that has become shorter is a defect of somebody else's.
            let read = file.read_exact_at(&mut chunk, offset);
            read.map_err(StorageError::internal)?;
            Ok(chunk)
        });
        Ok(Some(Bytes::from(chunk.await?)))
    }
}
