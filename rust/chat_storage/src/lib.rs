//! Uploaded files: where they live, and what may be in them.
//!
//! Owns the stores ([`ObjectStore`]: a local folder or a bucket of Google Cloud
//! Storage), the names of objects, and everything that is decided by looking at
//! a file, its name or the headers of a download. Knows nothing of users, rows
//! in the database, routes or the chat: whoever calls it brings these together.
//!
//! An upload is an [`ObjectWriter`] and a [`ContentCheck`] that are fed the
//! same bytes; its row is written when both have finished.

mod content;
mod disposition;
mod download;
mod error;
mod file_name;
mod foreground;
mod gcs;
mod key;
mod local;
mod media_type;
mod source;
mod store;
mod thumbnail;

pub use self::content::{ContentCheck, ContentError, Dimensions, picture_type};
pub use self::disposition::Disposition;
pub use self::download::{DownloadAnswer, Representation, RequestHeaders};
pub use self::error::{ErrorKind, StorageError};
pub use self::file_name::{MAX_NAME_BYTES, display_name, download_name};
pub use self::foreground::Foreground;
pub use self::gcs::{GcsConfig, GcsUrls, GoogleCloudStorage};
pub use self::key::ObjectKey;
pub use self::local::LocalFolder;
pub use self::media_type::{Category, MediaType};
pub use self::source::ObjectSource;
pub use self::store::{
    ObjectInfo, ObjectReader, ObjectStore, ObjectUrl, ObjectWriter, StoredObject,
};
pub use self::thumbnail::{THUMBNAIL_SIDE, ThumbnailError, make_thumbnail};
