//! A file that is being written: bytes are gathered and written on blocking
//! threads, while the next ones already come in.
//!
//! The bytes go to the disk past the page cache, and of all uploads only one
//! writes at a time. That halves the work, and whoever else needs the disk, the
//! database above all, waits for one piece at most: beside ten uploads through the
//! page cache the slowest messages waited a tenth of a second for their commit.
//! How large the pieces are depends on whether anybody waits (`folder`).

use std::fs::File;
use std::io;
use std::sync::Arc;

use aligned_vec::{AVec, ConstAlign};
use rustix::fs::fsync;
use tokio::task::{JoinHandle, spawn_blocking};

use super::folder::Folder;
use super::run;
use crate::error::StorageError;
use crate::key::ObjectKey;

/// What is gathered for one visit to a blocking thread. A writer holds two of
/// them: one that fills and one that is written.
const BUFFER_BYTES: usize = 768 * 1024;
/// What disks want the addresses and lengths of direct writes to be multiples of.
const BLOCK_BYTES: usize = 4096;

type Buffer = AVec<u8, ConstAlign<BLOCK_BYTES>>;

/// Writes one object.
#[derive(Debug)]
pub(crate) struct LocalWriter {
    key: ObjectKey,
    buffer: Buffer,
    /// The file, while nothing is being written to it.
    idle: Option<Incoming>,
    /// What is being written; gives back the file and the emptied buffer.
    job: Option<JoinHandle<io::Result<Written>>>,
}

/// A file and a buffer that is empty again.
type Written = (Incoming, Buffer);

/// An unfinished file. Removed with the value, wherever it has come to.
#[derive(Debug)]
struct Incoming {
    file: File,
    /// Whole blocks only, so its last one is filled up and cut off at the end.
    size: u64,
    place: Place,
}

#[derive(Debug)]
struct Place {
    folder: Arc<Folder>,
    state: PlaceState,
}

#[derive(Debug)]
enum PlaceState {
    Incoming(String),
    Published(ObjectKey),
    Kept,
}

impl Drop for Place {
    /// A single system call, so it may be made from any thread.
    fn drop(&mut self) {
        let removed = match &self.state {
            PlaceState::Incoming(name) => self.folder.remove_incoming(name),
            PlaceState::Published(key) => self.folder.delete(key),
            PlaceState::Kept => Ok(()),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "an unfinished upload could not be removed");
        }
    }
}

impl Incoming {
    fn create(folder: Arc<Folder>) -> io::Result<Self> {
        let (file, name) = folder.create_incoming()?;
        let state = PlaceState::Incoming(name);
        let place = Place { folder, state };
        Ok(Self {
            file,
            size: 0,
            place,
        })
    }

    /// Writes a buffer and empties it. Only the last one may be other than whole blocks.
    fn write(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        self.size += buffer.len() as u64;
        let padded = buffer.len().next_multiple_of(BLOCK_BYTES);
        buffer.resize(padded, 0);
        self.place.folder.write(&self.file, buffer)?;
        buffer.clear();
        Ok(())
    }

    /// Makes the file durable and moves it to its place, from which it is
    /// removed again unless the place is kept.
    fn publish(mut self, key: ObjectKey) -> io::Result<Place> {
        let folder = Arc::clone(&self.place.folder);
        let _turn = folder.writing_turn();
        self.file.set_len(self.size)?;
        self.file.sync_all()?;
        if let PlaceState::Incoming(name) = &self.place.state {
            let day = self.place.folder.publish(name, &key)?;
            self.place.state = PlaceState::Published(key);
            fsync(day)?;
        }
        Ok(self.place)
    }
}

impl LocalWriter {
    pub(super) async fn create(folder: Arc<Folder>, key: ObjectKey) -> Result<Self, StorageError> {
        let incoming = run(move || Incoming::create(folder).map_err(write_error)).await?;
        Ok(Self {
            key,
            buffer: new_buffer(),
            idle: Some(incoming),
            job: None,
        })
    }

    pub(crate) async fn write(&mut self, mut chunk: &[u8]) -> Result<(), StorageError> {
        while !chunk.is_empty() {
            let taken = chunk.len().min(BUFFER_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[taken..];
            if self.buffer.len() == BUFFER_BYTES {
                self.write_buffer().await?;
            }
        }
        Ok(())
    }

    /// Starts to write the full buffer as soon as the one before it is written.
    async fn write_buffer(&mut self) -> Result<(), StorageError> {
        let (mut incoming, empty) = self.wait().await?;
        let full = std::mem::replace(&mut self.buffer, empty);
        self.job = Some(spawn_blocking(move || {
            let mut buffer = full;
            incoming.write(&mut buffer)?;
            Ok((incoming, buffer))
        }));
        Ok(())
    }

    /// The file, once nothing is being written to it, and a buffer.
    async fn wait(&mut self) -> Result<Written, StorageError> {
        if let Some(job) = &mut self.job {
            let result = job.await;
            self.job = None;
            return result.map_err(StorageError::internal)?.map_err(write_error);
        }
        let incoming = self.idle.take();
        incoming
            .map(|incoming| (incoming, new_buffer()))
            .ok_or_else(|| StorageError::internal("the writer has failed before"))
    }

    pub(crate) async fn finish(mut self) -> Result<(), StorageError> {
        let (mut incoming, _) = self.wait().await?;
        let (mut rest, key) = (self.buffer, self.key);
        let published = run(move || {
            incoming.write(&mut rest).map_err(write_error)?;
            incoming.publish(key).map_err(write_error)
        });
        let mut place = published.await?;
        // Only now: had the caller gone away, the file would have been removed.
        place.state = PlaceState::Kept;
        Ok(())
    }
}

fn new_buffer() -> Buffer {
    Buffer::with_capacity(BLOCK_BYTES, BUFFER_BYTES)
}

/// While writing, a folder that is gone is no missing object.
fn write_error(error: io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::NotFound => StorageError::unavailable(error),
        _ => StorageError::from(error),
    }
}
