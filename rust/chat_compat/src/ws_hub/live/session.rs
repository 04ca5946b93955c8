//! What each frame of a client does.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use chat_auth::RealmClaims;
use chat_database::Joined;
use chat_database::compat::{RoomKind, RoomWithPeople, System};
use chat_gateway::MessageHandler;
use chat_hub::{Connection, ConnectionRef, DisconnectReason};
use serde_json::Value;

use super::frames::{self, ClientFrame, FrameError, ServerFrame, Typing, User};
use super::{Dialect, Live};
use crate::shared::{CompatError, Draft, Fields};
use crate::ws_hub::images::is_address;

const MAX_CONTENT_UNITS: usize = 5000;
const MAX_IMAGE_URL_CHARACTERS: usize = 2048;
/// It goes back to everybody in the room.
const MAX_TEMP_ID_BYTES: usize = 1024;

/// Whose socket it is, once known.
#[derive(Debug)]
pub(super) struct Identity {
    user: RealmClaims,
    dialect: Dialect,
}

pub(super) struct Session {
    live: Arc<Live>,
    connection: Rc<Connection>,
    to: ConnectionRef,
    identity: Rc<OnceCell<Identity>>,
}

/// A refusal for the client, or a failure of ours.
enum Refusal {
    Text(&'static str),
    Failed(CompatError),
}

impl<E: Into<CompatError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Session {
    pub(super) fn new(live: Arc<Live>, connection: &Rc<Connection>) -> Self {
        Self {
            live,
            to: connection.reference(),
            connection: Rc::clone(connection),
            identity: Rc::default(),
        }
    }

    pub(super) fn user(&self) -> Rc<OnceCell<Identity>> {
        Rc::clone(&self.identity)
    }

    /// The socket has ended.
    pub(super) fn end(&self) {
        if let Some(identity) = self.identity.get() {
            self.live.people.go(self.to, &identity.user.user_id);
        }
    }

    async fn on_frame(&self, bytes: &[u8]) {
        // Nothing more is taken up while too much is on its way to readers.
        self.live.hub.relieved().await;
        let refusal = match ClientFrame::parse(bytes) {
            Ok(frame) => match self.run(frame).await {
                Ok(()) => return,
                Err(Refusal::Text(text)) => text,
                Err(Refusal::Failed(error)) => {
                    error.log("ws-hub");
                    "Internal server error"
                }
            },
            Err(FrameError(text)) => text,
        };
        self.live.hub.send(self.to, frames::error(refusal));
    }

    async fn run(&self, frame: ClientFrame) -> Result<(), Refusal> {
        let dialect = match frame.kind.as_str() {
            "AUTHENTICATE" => Some(Dialect::Client),
            "AUTH" => Some(Dialect::Seed),
            _ => None,
        };
        if let Some(dialect) = dialect {
            return self.authenticate(dialect, &frame).await;
        }
        let Some(identity) = self.identity.get() else {
            return Err(Refusal::Text("Not authenticated"));
        };
        let user = &identity.user;
        let payload = frame.payload;
        match frame.kind.as_str() {
            "JOIN_ROOM" => self.join_room(user, &payload).await,
            "LEAVE_ROOM" => {
                if let Some(room) = room_id(&payload) {
                    self.live.people.leave(self.to, &user.user_id, room);
                }
                Ok(())
            }
            "SEND_MESSAGE" => self.send_message(user, payload).await,
            "START_TYPING" | "TYPING" => {
                self.publish_typing(user, &payload, true);
                Ok(())
            }
            "STOP_TYPING" => {
                self.publish_typing(user, &payload, false);
                Ok(())
            }
            _ => Err(Refusal::Text("Unknown event type")),
        }
    }

    /// The dialect is that of the first such frame; a failure ends the socket.
    async fn authenticate(&self, dialect: Dialect, frame: &ClientFrame) -> Result<(), Refusal> {
        let dialect = self.identity.get().map_or(dialect, |known| known.dialect);
        let token = frame.payload.text("token").or(frame.token.as_deref());
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            self.dismiss(dialect, "Token is required");
            return Ok(());
        };
        let claims = self.live.accounts.verify_token(token);
        let is_same = |claims: &RealmClaims| {
            let known = self.identity.get();
            known.is_none_or(|known| known.user.user_id == claims.user_id)
        };
        let Some(user) = claims.filter(is_same) else {
            self.dismiss(dialect, "Authentication failed");
            return Ok(());
        };
        let identity = self.identity.get_or_init(|| Identity { user, dialect });
        let RealmClaims { user_id, username } = &identity.user;
        let user = User { user_id, username };
        self.live.people.come(self.to, dialect, user);
        self.welcome(dialect, user).await
    }

    fn dismiss(&self, dialect: Dialect, message: &'static str) {
        let answer = frames::not_authenticated(dialect, message);
        self.live.hub.send(self.to, answer);
        let reason = DisconnectReason::Dismissed(1008, message);
        self.live.hub.close(self.to, reason);
    }

    /// In the dialect of the seed with all rooms of the user.
    async fn welcome(&self, dialect: Dialect, user: User<'_>) -> Result<(), Refusal> {
        loop {
            let people = &self.live.people;
            let losses = people.losses();
            let rooms: Vec<_> = match dialect {
                Dialect::Client => Vec::new(),
                Dialect::Seed => {
                    let store = &self.live.store;
                    let rooms = store.list_rooms_of_account(System::WsHub, user.user_id);
                    let rooms = rooms.await?.into_iter();
                    rooms.map(|room| (room.room.id, room.room.key)).collect()
                }
            };
            if people.welcome(losses, self.to, user, &rooms) || !self.connection.is_open() {
                return Ok(());
            }
        }
    }

    async fn join_room(&self, user: &RealmClaims, payload: &Fields) -> Result<(), Refusal> {
        let room_id = room_id(payload).ok_or(Refusal::Text("roomId is required"))?;
        loop {
            let losses = self.live.people.losses();
            let room = self.find_room(room_id).await?;
            if !room.has(&user.user_id) {
                self.enter(user, &room).await?;
            }
            let place = (room_id, room.room.key);
            let people = &self.live.people;
            if people.join(losses, self.to, &user.user_id, place) || !self.connection.is_open() {
                return Ok(());
            }
        }
    }

    /// A public room takes whoever wants to join it.
    async fn enter(&self, user: &RealmClaims, room: &RoomWithPeople) -> Result<(), Refusal> {
        if room.room.kind != RoomKind::Public {
            return Err(Refusal::Text("Access denied"));
        }
        let store = &self.live.store;
        let added = store
            .add_participant(System::WsHub, &room.room.id, &user.user_id)
            .await?
            .ok_or(Refusal::Text("Room not found"))?;
        if added == Joined::Added {
            let room = self.find_room(&room.room.id).await?;
            self.live.room_joined(&room, &user.user_id);
        }
        Ok(())
    }

    async fn find_room(&self, room: &str) -> Result<RoomWithPeople, Refusal> {
        let found = self.live.store.find_room(System::WsHub, room).await?;
        found.ok_or(Refusal::Text("Room not found"))
    }

    async fn send_message(&self, user: &RealmClaims, mut payload: Fields) -> Result<(), Refusal> {
        let temp_id = payload
            .take("tempId")
            .filter(|temp_id| temp_id.to_string().len() <= MAX_TEMP_ID_BYTES);
        let content = payload.text("content").unwrap_or_default();
        let image_url = payload.text("imageUrl").filter(|url| !url.is_empty());
        let missing = Refusal::Text("roomId and content or imageUrl are required");
        let Some(room_id) = room_id(&payload) else {
            return Err(missing);
        };
        if content.trim().is_empty() && image_url.is_none() {
            return Err(missing);
        }
        if content.encode_utf16().count() > MAX_CONTENT_UNITS {
            return Err(Refusal::Text("Message too long (max 5000)"));
        }
        if !image_url.is_none_or(|url| self.is_image_url(url)) {
            return Err(Refusal::Text("Invalid imageUrl"));
        }
        let room = self
            .live
            .people
            .hears(&user.user_id, room_id)
            .ok_or(Refusal::Text("Join the room first"))?;
        let draft = Draft {
            room,
            sender_id: user.user_id.clone(),
            sender_name: user.username.clone(),
            content: content.trim().to_owned(),
            image_url: image_url.map(str::to_owned),
        };
        self.submit(room_id.to_owned(), draft, temp_id).await;
        Ok(())
    }

    /// One of ours, or an address of the web.
    fn is_image_url(&self, url: &str) -> bool {
        let is_web = url.starts_with("http://") || url.starts_with("https://");
        (is_web || is_address(&*self.live.primary, url))
            && url.chars().count() <= MAX_IMAGE_URL_CHARACTERS
    }

    async fn submit(&self, room: String, draft: Draft, temp_id: Option<Value>) {
        let (live, to) = (Arc::clone(&self.live), self.to);
        self.live
            .messages
            .submit(draft, move |stored| match stored {
                Some(message) => {
                    let frame = frames::message(&room, message, temp_id.as_ref());
                    live.people.publish(&room, frame);
                }
                None => live.hub.send(to, frames::error("Failed to send message")),
            })
            .await;
    }

    /// Ignored if the user does not hear the room.
    fn publish_typing(&self, user: &RealmClaims, payload: &Fields, is_typing: bool) {
        let people = &self.live.people;
        let Some(room_id) = room_id(payload) else {
            return;
        };
        if people.hears(&user.user_id, room_id).is_none() {
            return;
        }
        let typing = Typing {
            user_id: &user.user_id,
            username: is_typing.then_some(user.username.as_str()),
            room_id,
        };
        let frame = if is_typing {
            ServerFrame::Typing(typing)
        } else {
            ServerFrame::StopTyping(typing)
        };
        people.publish_but(room_id, frame.encode(), &user.user_id);
    }
}

impl MessageHandler for Session {
    async fn on_text(&mut self, text: String) {
        Box::pin(self.on_frame(text.as_bytes())).await;
    }

    async fn on_binary(&mut self, payload: Vec<u8>) {
        Box::pin(self.on_frame(&payload)).await;
    }
}

fn room_id(payload: &Fields) -> Option<&str> {
    payload.text("roomId").filter(|room| !room.is_empty())
}
