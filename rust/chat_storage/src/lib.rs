//! Uploaded files: what they are called, and what may be in them.
//!
//! Owns the names of objects, and everything that is decided by looking at a
//! file, its name or the headers of a download. Knows nothing of users, rows
//! in the database, routes or the chat: whoever calls it brings these together.

mod content;
mod disposition;
mod download;
mod file_name;
mod key;
mod media_type;
mod thumbnail;

pub use self::content::{ContentCheck, ContentError, Dimensions};
pub use self::disposition::Disposition;
pub use self::download::{DownloadAnswer, Representation, RequestHeaders};
pub use self::file_name::{MAX_NAME_BYTES, display_name, download_name};
pub use self::key::ObjectKey;
pub use self::media_type::{Category, MediaType};
pub use self::thumbnail::{THUMBNAIL_SIDE, ThumbnailError, make_thumbnail};
