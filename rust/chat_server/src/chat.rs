//! What the use cases share.

use chat_auth::TokenAuthority;
use chat_database::{Database, MessageWriter};
use chat_hub::Hub;

use crate::entrance::Entrance;
use crate::passwords::Passwords;

/// The use cases of the service; the methods stand in one file per subject.
#[derive(Debug)]
pub struct Chat {
    pub(crate) database: Database,
    pub(crate) writer: MessageWriter,
    pub(crate) hub: Hub,
    pub(crate) tokens: TokenAuthority,
    pub(crate) passwords: Passwords,
    pub(crate) entrance: Entrance,
}
