//! The IzpoChat dialect: what each frame of a client does (contract section 6.3).
//!
//! Messages of one connection are stored in the order they came, several at a
//! time under way. Any other frame waits until they are done, so that a client
//! sees answers in the order of its requests. All answers go through the hub's
//! queue for the connection, behind the publications queued before.

use std::rc::Rc;
use std::sync::Arc;

use chat_hub::{Connection, Hub, Profile};
use chat_protocol::ids::{RoomId, UserId};
use chat_protocol::{
    BearerToken, ClientFrame, ClientId, EncodedFrame, FrameError, Position, ServerFrame,
};
use chrono::Utc;
use tokio::sync::Semaphore;

use crate::backend::{ChatBackend, PostDone, Receipt, Refusal};
use crate::error::{frame_error, post_error, refusal_error};
use crate::resume::resume;
use crate::socket::MessageHandler;
use crate::validity::Validity;

/// Messages of one connection that may wait for their commit.
const MAX_MESSAGES_IN_FLIGHT: u32 = 64;

pub(crate) struct Session {
    hub: Hub,
    backend: Arc<dyn ChatBackend>,
    connection: Rc<Connection>,
    user_id: UserId,
    room_id: RoomId,
    validity: Validity,
    in_flight: Arc<Semaphore>,
}

impl Session {
    pub(crate) fn new(
        hub: Hub,
        backend: Arc<dyn ChatBackend>,
        connection: Rc<Connection>,
        user_id: UserId,
        room_id: RoomId,
        validity: Validity,
    ) -> Self {
        let in_flight = Arc::new(Semaphore::new(MAX_MESSAGES_IN_FLIGHT as usize));
        Self {
            hub,
            backend,
            connection,
            user_id,
            room_id,
            validity,
            in_flight,
        }
    }

    fn publish_typing(&self, typing: bool) {
        let Some(profile) = self.hub.profile(self.user_id) else {
            return;
        };
        let frame = ServerFrame::Typing {
            user_id: self.user_id,
            username: &profile.username,
            typing,
            timestamp: Utc::now(),
        };
        self.hub
            .publish_typing(self.room_id, self.user_id, typing, frame.encode());
    }

    async fn resume(&self, since: Position) {
        self.messages_done().await;
        let resume = resume(&self.hub, &*self.backend, self.room_id, since).await;
        self.hub.resume(self.connection.reference(), resume);
    }

    /// Takes up a newer token. One that does not allow to be here changes nothing.
    async fn authenticate(&self, token: &BearerToken) -> EncodedFrame {
        self.messages_done().await;
        loop {
            let version = self.hub.access_version();
            let admission = match self.backend.admit(self.room_id, token.as_str()).await {
                Ok(admission) if admission.profile.user_id == self.user_id => admission,
                Ok(_) => return refusal_error(Refusal::Denied),
                Err(refusal) => return refusal_error(refusal),
            };
            // Else permissions or names have changed since.
            if self.hub.access_version() == version {
                if self.hub.profile(self.user_id).as_ref() != Some(&admission.profile) {
                    self.hub.update_profile(Profile::clone(&admission.profile));
                }
                let left = self.validity.left(admission.token_expires);
                self.connection.expire_after(left);
                return ServerFrame::Authenticated {
                    expires_at: admission.token_expires.into(),
                    timestamp: Utc::now(),
                }
                .encode();
            }
        }
    }

    /// Waits for a place among what is under way; gives what tells the client how it
    /// ended, and frees the place.
    async fn begin(&self, client_id: Option<ClientId>) -> Option<PostDone> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.in_flight).acquire_owned().await.ok()?;
        let (hub, connection) = (self.hub.clone(), self.connection.reference());
        Some(Box::new(move |outcome| {
            let answer = match (outcome, &client_id) {
                (Ok(receipt), Some(client_id)) => Some(ack(receipt, client_id)),
                (Ok(_), None) => None,
                (Err(error), client_id) => Some(post_error(error, client_id.as_ref())),
            };
            if let Some(answer) = answer {
                hub.reply(connection, answer);
            }
            drop(place);
        }))
    }

    async fn reply(&self, frame: EncodedFrame) {
        self.messages_done().await;
        self.hub.reply(self.connection.reference(), frame);
    }

    async fn messages_done(&self) {
        let _all = self.in_flight.acquire_many(MAX_MESSAGES_IN_FLIGHT).await;
    }
}

impl MessageHandler for Session {
    async fn on_text(&mut self, text: String) {
        let frame = match ClientFrame::parse(&text) {
            Ok(ClientFrame::Message(draft)) => {
                if let Some(done) = self.begin(draft.client_id.clone()).await {
                    self.backend
                        .post_message(self.user_id, self.room_id, draft, done)
                        .await;
                }
                return;
            }
            Ok(ClientFrame::Change(draft)) => {
                if let Some(done) = self.begin(draft.client_id.clone()).await {
                    self.backend
                        .change_message(self.user_id, self.room_id, draft, done)
                        .await;
                }
                return;
            }
            Ok(ClientFrame::Typing(typing)) => {
                self.messages_done().await;
                self.publish_typing(typing);
                return;
            }
            Ok(ClientFrame::Resume(since)) => {
                self.resume(since).await;
                return;
            }
            Ok(ClientFrame::Read(seq)) => {
                // It may be about a message that was sent just before.
                self.messages_done().await;
                let from = self.connection.reference();
                self.backend
                    .mark_read(self.user_id, self.room_id, seq, from);
                return;
            }
            Ok(ClientFrame::Subscribe(events)) => {
                self.messages_done().await;
                self.connection.ask_for(events);
                return;
            }
            Ok(ClientFrame::Auth(token)) => self.authenticate(&token).await,
            Ok(ClientFrame::Ping) => ServerFrame::Pong {
                user_id: self.user_id,
                timestamp: Utc::now(),
            }
            .encode(),
            Err(error) => frame_error(&error),
        };
        self.reply(frame).await;
    }

    /// No client has a reason to send one.
    async fn on_binary(&mut self, _payload: Vec<u8>) {
        self.reply(frame_error(&FrameError::Malformed)).await;
    }
}

fn ack(receipt: Receipt, client_id: &ClientId) -> EncodedFrame {
    let Receipt {
        id,
        seq,
        timestamp,
        change,
    } = receipt;
    ServerFrame::Ack {
        client_id: client_id.as_str(),
        id,
        seq,
        timestamp,
        change,
    }
    .encode()
}
