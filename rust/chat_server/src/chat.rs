//! What the use cases share.

use std::sync::Arc;

use chat_auth::TokenAuthority;
use chat_database::{Database, MessageWriter};
use chat_hub::Hub;
use tokio_util::task::TaskTracker;

use crate::changes::ChangeQueue;
use crate::entrance::Entrance;
use crate::files::FileLibrary;
use crate::passwords::Passwords;
use crate::reads::ReadMarkers;
use crate::tails::Tails;

/// The use cases of the service; the methods stand in one file per subject.
#[derive(Debug)]
pub struct Chat {
    pub(crate) database: Database,
    pub(crate) writer: MessageWriter,
    pub(crate) changes: ChangeQueue,
    pub(crate) hub: Hub,
    pub(crate) tails: Tails,
    pub(crate) reads: ReadMarkers,
    /// Messages that a client may have missed and get when it comes back.
    pub(crate) resume_max_messages: usize,
    pub(crate) tokens: TokenAuthority,
    pub(crate) passwords: Passwords,
    pub(crate) entrance: Entrance,
    pub(crate) files: Arc<FileLibrary>,
    /// The uploads under way.
    pub(crate) uploads: TaskTracker,
}
