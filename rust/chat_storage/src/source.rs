//! An object as something that can be read and sought in, for decoders of
//! pictures: they ask for bytes from a thread that may wait.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use bytes::{Buf, Bytes};
use tokio::runtime::Handle;

use crate::error::StorageError;
use crate::key::ObjectKey;
use crate::store::{ObjectReader, ObjectStore};

/// Reads one object, piece by piece, whatever its store. Holds one piece at a time.
///
/// Waits for the store with [`Handle::block_on`], so it must not be used on a
/// thread of the runtime.
#[derive(Debug)]
pub struct ObjectSource {
    runtime: Handle,
    store: ObjectStore,
    key: ObjectKey,
    size: u64,
    position: u64,
    /// What has been read from `position` on.
    piece: Bytes,
    /// Where the next piece comes from; none after a jump.
    reader: Option<ObjectReader>,
}

impl ObjectSource {
    /// Finds the object.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub fn open(runtime: Handle, store: ObjectStore, key: ObjectKey) -> Result<Self, StorageError> {
        let object = runtime.block_on(store.open(&key))?;
        Ok(Self {
            size: object.info().size,
            position: 0,
            piece: Bytes::new(),
            reader: Some(object.read(0..u64::MAX)),
            runtime,
            store,
            key,
        })
    }

    fn next_piece(&mut self) -> Result<Option<Bytes>, StorageError> {
        let runtime = self.runtime.clone();
        runtime.block_on(async {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => {
                    let object = self.store.open(&self.key).await?;
                    none.insert(object.read(self.position..u64::MAX))
                }
            };
            reader.next_chunk().await
        })
    }
}

impl Read for ObjectSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for ObjectSource {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece.is_empty() && self.position < self.size {
            let piece = self.next_piece().map_err(io::Error::other)?;
            self.piece = piece.unwrap_or_default();
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, amount: usize) {
        self.piece.advance(amount.min(self.piece.len()));
        self.position += amount as u64;
    }
}

impl Seek for ObjectSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        let ahead = target.checked_sub(self.position).map(usize::try_from);
        match ahead {
            Some(Ok(bytes)) if bytes <= self.piece.len() => self.piece.advance(bytes),
            _ => {
                self.piece = Bytes::new();
                self.reader = None;
            }
        }
        self.position = target;
        Ok(target)
    }
}
