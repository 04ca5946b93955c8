//! The one interface of the stores: write an object as it streams in, read a
//! part of it, delete it, say where it is.
//!
//! Invariants: an object is seen complete or not at all; a writer that is not
//! finished leaves none; a call holds a bounded number of bytes however large
//! the object is; no call blocks the thread it is polled on.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;

use crate::error::StorageError;
use crate::gcs::{GcsObject, GcsReader, GcsWriter, GoogleCloudStorage};
use crate::key::ObjectKey;
use crate::local::{LocalFolder, LocalObject, LocalReader, LocalWriter};
use crate::media_type::MediaType;

/// Where uploaded files live. Cheap to clone.
#[derive(Clone, Debug)]
pub enum ObjectStore {
    Local(LocalFolder),
    Gcs(GoogleCloudStorage),
}

/// What is known about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// In bytes.
    pub size: u64,
    pub modified: SystemTime,
}

/// Where everybody can read an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectUrl {
    /// Nowhere but through this service, which makes the URL.
    Served,
    /// At this absolute URL.
    External(String),
}

impl ObjectStore {
    /// Starts an object of at most `max_bytes` bytes.
    ///
    /// # Errors
    /// `Unavailable` if the store cannot take it.
    ///
    /// # Cancel safety
    /// Leaves nothing behind.
    pub async fn create(
        &self,
        key: &ObjectKey,
        media_type: MediaType,
        max_bytes: u64,
    ) -> Result<ObjectWriter, StorageError> {
        let inner = match self {
            Self::Local(store) => Writer::Local(store.create(key).await?),
            Self::Gcs(store) => Writer::Gcs(Box::new(store.create(key, media_type).await?)),
        };
        Ok(ObjectWriter {
            inner,
            size: 0,
            max_bytes,
        })
    }

    /// Finds an object, to be read.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn open(&self, key: &ObjectKey) -> Result<StoredObject, StorageError> {
        let inner = match self {
            Self::Local(store) => Object::Local(store.open_object(key).await?),
            Self::Gcs(store) => Object::Gcs(store.open_object(key).await?),
        };
        Ok(StoredObject { inner })
    }

    /// Deletes an object. One that does not exist is no error.
    ///
    /// # Errors
    /// `Unavailable`: it may still be there.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), StorageError> {
        match self {
            Self::Local(store) => store.delete(key).await,
            Self::Gcs(store) => store.delete(key).await,
        }
    }

    /// Asks whether the store can be used now. The start of the service does
    /// not depend on it.
    ///
    /// # Errors
    /// The reason why not.
    pub async fn check(&self) -> Result<(), StorageError> {
        match self {
            Self::Local(store) => store.check().await,
            Self::Gcs(store) => store.check().await,
        }
    }

    /// Where an object is, for ever: what a row keeps. Makes no request.
    pub fn address(&self, key: &ObjectKey) -> ObjectUrl {
        match self {
            Self::Local(_) => ObjectUrl::Served,
            Self::Gcs(store) => ObjectUrl::External(store.address(key)),
        }
    }

    /// The object of this store that an address stands for; none for one that lies elsewhere.
    pub fn key_of(&self, address: &str) -> Option<ObjectKey> {
        match self {
            Self::Local(_) => ObjectKey::from_url(address),
            Self::Gcs(store) => store.key_of(address),
        }
    }

    /// Where everybody can read an object for now, whether it exists or not. Makes
    /// no request.
    ///
    /// # Errors
    /// `InvalidConfiguration` if URLs have to be signed and the key cannot.
    pub async fn url(&self, key: &ObjectKey) -> Result<ObjectUrl, StorageError> {
        match self {
            Self::Local(_) => Ok(ObjectUrl::Served),
            Self::Gcs(store) => store.url(key).await.map(ObjectUrl::External),
        }
    }
}

/// An object that is being written. Dropped unfinished, it leaves nothing in
/// the store; see [`abort`](Self::abort).
#[derive(Debug)]
pub struct ObjectWriter {
    inner: Writer,
    size: u64,
    max_bytes: u64,
}

#[derive(Debug)]
enum Writer {
    Local(LocalWriter),
    Gcs(Box<GcsWriter>),
}

impl ObjectWriter {
    /// Takes the next bytes; waits while the store is slower than they come.
    ///
    /// # Errors
    /// `TooLarge` as soon as the object would exceed its bound, `Unavailable`,
    /// `Internal`. After an error the object can only be aborted.
    ///
    /// # Cancel safety
    /// If the future is dropped the object can only be aborted.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), StorageError> {
        self.size = self.size.saturating_add(chunk.len() as u64);
        if self.size > self.max_bytes {
            return Err(StorageError::TooLarge {
                max_bytes: self.max_bytes,
            });
        }
        match &mut self.inner {
            Writer::Local(writer) => writer.write(chunk).await,
            Writer::Gcs(writer) => writer.write(chunk).await,
        }
    }

    /// The bytes taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the object visible and durable; gives its size in bytes.
    ///
    /// # Errors
    /// As [`write`](Self::write); the object does not exist then, unless the
    /// connection broke just before the answer.
    ///
    /// # Cancel safety
    /// In the folder nothing stays. In the cloud the object may have come into
    /// being all the same.
    pub async fn finish(self) -> Result<u64, StorageError> {
        match self.inner {
            Writer::Local(writer) => writer.finish().await?,
            Writer::Gcs(writer) => writer.finish().await?,
        }
        Ok(self.size)
    }

    /// Gives up the object and frees what the store holds of it. Better than
    /// dropping the writer only in the cloud, which would keep the parts,
    /// invisibly, for a week.
    pub async fn abort(self) {
        match self.inner {
            Writer::Local(writer) => drop(writer),
            Writer::Gcs(writer) => writer.abort().await,
        }
    }
}

/// An object that has been found. In the folder it can be read to its end even
/// if it is deleted meanwhile.
#[derive(Debug)]
pub struct StoredObject {
    inner: Object,
}

#[derive(Debug)]
enum Object {
    Local(LocalObject),
    Gcs(GcsObject),
}

impl StoredObject {
    /// Size and time.
    pub fn info(&self) -> ObjectInfo {
        match &self.inner {
            Object::Local(object) => object.info(),
            Object::Gcs(object) => object.info(),
        }
    }

    /// Reads these bytes of it; what lies beyond its end is left out.
    pub fn read(self, range: Range<u64>) -> ObjectReader {
        let end = range.end.min(self.info().size);
        let range = range.start.min(end)..end;
        let inner = match self.inner {
            Object::Local(object) => Reader::Local(object.read(range)),
            Object::Gcs(object) => Reader::Gcs(Box::new(object.read(range))),
        };
        ObjectReader { inner }
    }
}

/// The bytes of an object, piece by piece.
#[derive(Debug)]
pub struct ObjectReader {
    inner: Reader,
}

#[derive(Debug)]
enum Reader {
    Local(LocalReader),
    Gcs(Box<GcsReader>),
}

impl ObjectReader {
    /// The next piece, of at most some 256 KiB; none at the end.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`: never a short answer instead.
    ///
    /// # Cancel safety
    /// The piece may be lost; the reader cannot be used any more.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, StorageError> {
        match &mut self.inner {
            Reader::Local(reader) => reader.next_chunk().await,
            Reader::Gcs(reader) => reader.next_chunk().await,
        }
    }
}
