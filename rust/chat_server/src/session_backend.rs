//! What sessions ask of the use cases.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chat_gateway::{Admission, ChatBackend, PostDone, Receipt, Refusal};
use chat_hub::{ConnectionRef, LoadedTail};
use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use chat_protocol::{ChangeDraft, MessageDraft};

use chat_database::{ChangeReceipt, Stored};

use crate::accounts::profile_of;
use crate::chat::Chat;
use crate::error::{ServiceError, post_error, refusal};

impl ChatBackend for Chat {
    fn admit<'a>(
        &'a self,
        room_id: RoomId,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Admission, Refusal>> + Send + 'a>> {
        Box::pin(async move {
            self.admit_bearer(room_id, token)
                .await
                .map_err(|error| refusal(&error))
        })
    }

    fn load_tail(
        &self,
        room_id: RoomId,
    ) -> Pin<Box<dyn Future<Output = Option<LoadedTail>> + Send + '_>> {
        Box::pin(Chat::load_tail(self, room_id))
    }

    fn post_message(
        &self,
        sender: UserId,
        room_id: RoomId,
        draft: MessageDraft,
        done: PostDone,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let outcome = Box::new(move |result: Result<Stored, ServiceError>| {
            let receipt = result.map(|stored| Receipt {
                id: stored.id,
                seq: stored.seq.map(Seq),
                timestamp: stored.created_at,
                change: None,
            });
            done(receipt.map_err(|error| post_error(&error)))
        });
        Box::pin(self.post_from_socket(sender, room_id, draft, outcome))
    }

    fn mark_read(&self, user: UserId, room_id: RoomId, seq: Seq, from: ConnectionRef) {
        self.gather_read(user, room_id, seq, from);
    }

    fn change_message(
        &self,
        user: UserId,
        room_id: RoomId,
        draft: ChangeDraft,
        done: PostDone,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let outcome = Box::new(move |result: Result<ChangeReceipt, ServiceError>| {
            let receipt = result.map(|receipt| Receipt {
                id: receipt.message_id,
                seq: Some(Seq(receipt.seq)),
                timestamp: receipt.changed_at,
                change: receipt.change.map(Change),
            });
            done(receipt.map_err(|error| post_error(&error)))
        });
        Box::pin(self.change_from_socket(user, room_id, draft, outcome))
    }
}

impl Chat {
    async fn admit_bearer(&self, room_id: RoomId, token: &str) -> Result<Admission, ServiceError> {
        let bearer = self.identify(token)?;
        let (identity, access, newest) = self.entrance.decide(&bearer, room_id).await?;
        Ok(Admission {
            profile: Arc::new(profile_of(&identity.user)),
            room_name: access.room.name,
            token_expires: bearer.expires(),
            newest,
        })
    }
}
