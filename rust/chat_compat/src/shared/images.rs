//! Images that anybody may read who knows their name, on their way in and out.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::{BoxFuture, CompatError};

/// Why something is not stored as an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageRefusal {
    /// Its first bytes are not those of a JPEG, PNG, GIF or WebP.
    NoImage,
    /// It has too many pixels.
    TooLarge,
}

/// The headers of a request that decide what of an image is sent, as they came.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<String>,
    pub if_range: Option<String>,
    pub range: Option<String>,
}

/// What is sent of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageOutcome {
    Whole,
    Part,
    NotModified,
    Unsatisfiable,
}

/// An image on its way to a client.
#[derive(Debug)]
pub struct Image {
    pub outcome: ImageOutcome,
    /// With its quotes.
    pub etag: String,
    pub modified: SystemTime,
    pub content_type: String,
    /// For parts, and for what has no such part.
    pub content_range: Option<String>,
    pub content: Content,
}

/// The body of an answer that comes piece by piece.
#[derive(Clone, Debug)]
pub struct Content {
    /// In bytes.
    pub length: u64,
    pub source: Arc<dyn ContentSource>,
}

/// Where the pieces come from.
pub trait ContentSource: Debug + Send + Sync + 'static {
    /// The next bytes; none at the end. After an error the answer has to be cut off.
    fn next_chunk(&self) -> BoxFuture<'_, Result<Option<Bytes>, CompatError>>;
}
