//! What sessions need from the service, implemented by `chat_server`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chat_hub::Profile;
use chat_protocol::MessageDraft;
use chat_protocol::ids::{RoomId, UserId};

use crate::error::PostError;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Called exactly once, from any thread, when a message is stored and on its way
/// to the readers, or refused.
pub type PostDone = Box<dyn FnOnce(Result<(), PostError>) + Send>;

/// Who enters which room.
#[derive(Clone, Debug)]
pub struct Admission {
    pub profile: Arc<Profile>,
    pub room_name: String,
}

/// Why a handshake is refused; clients see a status only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the token, the user or the room does not allow it")]
    Denied,
    #[error("the service cannot decide now")]
    Unavailable,
}

/// The use cases a session reaches.
pub trait ChatBackend: Send + Sync + 'static {
    /// Decides whether the bearer of `token` may enter the room.
    fn admit<'a>(
        &'a self,
        room_id: RoomId,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Admission, Refusal>>;

    /// Stores a message and publishes it to the room. Resolves once the message
    /// has its place in the order; `done` tells the outcome.
    fn post_message(
        &self,
        sender: UserId,
        room_id: RoomId,
        draft: MessageDraft,
        done: PostDone,
    ) -> BoxFuture<'_, ()>;
}
