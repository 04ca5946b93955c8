//! A message's way: permission, the writer, and after the commit the hub.
//!
//! Sockets and REST meet in [`Chat::store_and_publish`]. The writer calls back in
//! the order of the ids and after the commit; the frame is encoded and published
//! there, so readers see the stored order and nothing that is not stored.

use std::collections::HashMap;
use std::sync::Arc;

use chat_database::{FileDetails, NewMessage, Page, RoomDetails, Stored, StoredMessage, User};
use chat_hub::{Profile, Publication};
use chat_protocol::ids::{FileId, RoomId, Seq, UserId};
use chat_protocol::{ClientId, FileSummary, MessageDraft, Sender, ServerFrame};
use tokio::runtime::Handle;

use crate::accounts::{Identity, profile_of};
use crate::answers::{MessageHead, People, UserAnswer, push_message, room_to_json, to_json};
use crate::chat::Chat;
use crate::error::ServiceError;
use crate::files::{FileLinks, summary_of};

/// A history is cut into pieces of about this size.
const CHUNK_BYTES: usize = 256 * 1024;
/// What most messages take beside the room, for the size of the buffer.
const EXPECTED_BYTES_WITHOUT_ROOM: usize = 640;

/// Which part of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryPart {
    /// Counted from the newest message, newest first.
    Page(Page),
    /// The newest messages in front of a place, newest first.
    Before { seq: i64, limit: i64 },
    /// The oldest messages behind a place, oldest first; up to and without another
    /// place, if there is one.
    After {
        seq: i64,
        before: Option<i64>,
        limit: i64,
    },
}

type Outcome = Box<dyn FnOnce(Result<Stored, ServiceError>) + Send>;

/// A message that may be stored: everything about it has been checked.
struct Posting {
    sender: Arc<Profile>,
    room_id: RoomId,
    content: String,
    file: Option<FileSummary>,
    client_id: Option<ClientId>,
}

/// What the answer to a new message is made of, but for what storing it adds.
struct SentMessage {
    sender: User,
    room: RoomDetails,
    file: Option<(FileDetails, FileLinks)>,
    // Encoded before the message is stored: the writer's thread answers.
    sender_json: Vec<u8>,
    room_json: Vec<u8>,
}

impl SentMessage {
    fn answer(&self, stored: &Stored) -> Vec<u8> {
        let head = MessageHead {
            content: &stored.content,
            room_id: self.room.room.id,
            id: stored.id,
            sender_id: self.sender.id,
            file_id: self.file.as_ref().map(|(details, _)| details.file.id),
            created_at: Some(stored.created_at),
            seq: stored.seq,
            edited_at: None,
            deleted_at: None,
        };
        let file = self.file.as_ref().map(|(details, links)| (details, links));
        let mut text = Vec::with_capacity(self.room_json.len() + EXPECTED_BYTES_WITHOUT_ROOM);
        push_message(&mut text, &head, &self.sender_json, &self.room_json, file);
        text
    }
}

/// The JSON array of a history page, made piece by piece. Every item repeats the
/// whole room (contract section 4), so a page can be far larger than its rows.
#[derive(Debug)]
pub struct HistoryAnswer {
    room: Vec<u8>,
    senders: People,
    /// Of the files that messages of the page carry.
    links: HashMap<FileId, FileLinks>,
    messages: std::vec::IntoIter<StoredMessage>,
    state: HistoryState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HistoryState {
    Start,
    Between,
    Done,
}

impl HistoryAnswer {
    fn new(room: Vec<u8>, links: HashMap<FileId, FileLinks>, messages: Vec<StoredMessage>) -> Self {
        Self {
            room,
            senders: People::default(),
            links,
            messages: messages.into_iter(),
            state: HistoryState::Start,
        }
    }

    /// Whether `next_chunk` will give nothing more.
    pub fn is_done(&self) -> bool {
        self.state == HistoryState::Done
    }
}

impl Iterator for HistoryAnswer {
    type Item = Vec<u8>;

    /// The next piece of the JSON text.
    fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_done() {
            return None;
        }
        let message_bytes = self.room.len() + EXPECTED_BYTES_WITHOUT_ROOM;
        let rest_bytes = self.messages.len() * message_bytes;
        let mut text = Vec::with_capacity(rest_bytes.min(CHUNK_BYTES + message_bytes));
        if self.state == HistoryState::Start {
            text.push(b'[');
        }
        while text.len() < CHUNK_BYTES {
            let Some(message) = self.messages.next() else {
                text.push(b']');
                self.state = HistoryState::Done;
                break;
            };
            if self.state == HistoryState::Between {
                text.push(b',');
            }
            self.state = HistoryState::Between;
            let head = MessageHead::from(&message);
            let sender = self.senders.encode(&message.sender);
            let file = message.file.as_ref().and_then(|details| {
                let links = self.links.get(&details.file.id)?;
                Some((details, links))
            });
            push_message(&mut text, &head, sender, &self.room, file);
        }
        Some(text)
    }
}

impl Chat {
    /// A part of a room's history, for whoever has access.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`; `MessagesNotNumbered` for a part that is
    /// named by a place.
    pub async fn list_messages(
        &self,
        identity: &Identity,
        room_id: i64,
        part: HistoryPart,
    ) -> Result<HistoryAnswer, ServiceError> {
        let details = self.accessible_details(room_id, identity.user_id()).await?;
        if !matches!(part, HistoryPart::Page(_)) && !self.database.numbers_messages() {
            return Err(ServiceError::MessagesNotNumbered);
        }
        let (room, known) = (details.room.id, details.members.clone());
        let messages = match part {
            HistoryPart::Page(page) => self.database.list_messages(room, page, known).await?,
            HistoryPart::Before { seq, limit } => {
                self.database
                    .list_messages_before(room, seq, limit, known)
                    .await?
            }
            HistoryPart::After { seq, before, limit } => {
                let up_to = before.map(|before| before.saturating_sub(1));
                self.database
                    .list_messages_after(room, seq, up_to, limit, known)
                    .await?
            }
        };
        let mut links = HashMap::new();
        for file in messages.iter().filter_map(|message| message.file.as_ref()) {
            links.insert(file.file.id, self.files.links(&file.file).await);
        }
        Ok(HistoryAnswer::new(room_to_json(&details), links, messages))
    }

    /// Stores a message exactly as given and publishes it. `answer` is given Message, once and on
    /// the thread that has stored it; with a `client_id` that the sender used before, it is given
    /// that message as it is now.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`, `FileNotFound`, `FileAccessDenied`;
    /// `MessageNotFound` if the earlier message is gone.
    pub async fn send_message(
        self: &Arc<Self>,
        identity: Identity,
        room_id: i64,
        content: String,
        file_id: Option<i64>,
        client_id: Option<ClientId>,
        answer: impl FnOnce(Result<Vec<u8>, ServiceError>) + Send + 'static,
    ) {
        let sent = match self.allow_message(identity, room_id, file_id).await {
            Ok(sent) => sent,
            Err(error) => return answer(Err(error)),
        };
        let file = sent.file.as_ref();
        let posting = Posting {
            sender: Arc::new(profile_of(&sent.sender)),
            room_id: sent.room.room.id,
            content,
            file: file.map(|(details, links)| summary_of(details, links.clone())),
            client_id,
        };
        let (chat, runtime) = (Arc::clone(self), Handle::current());
        let outcome = move |result: Result<Stored, ServiceError>| match result {
            Ok(stored) if stored.is_repeat => {
                // Not here: the writer must not wait for the database.
                runtime.spawn(async move {
                    answer(chat.repeat_answer(&sent.room, stored.seq).await);
                });
            }
            Ok(stored) => answer(Ok(sent.answer(&stored))),
            Err(error) => answer(Err(error)),
        };
        self.store_and_publish(posting, Box::new(outcome)).await;
    }

    async fn allow_message(
        &self,
        identity: Identity,
        room_id: i64,
        file_id: Option<i64>,
    ) -> Result<SentMessage, ServiceError> {
        let user = identity.user_id();
        let room = self.accessible_details(room_id, user).await?;
        Ok(SentMessage {
            file: self.attachment(file_id, user).await?,
            sender_json: to_json(&UserAnswer::from(&identity.user)),
            sender: identity.user,
            room_json: room_to_json(&room),
            room,
        })
    }

    /// Stores and publishes a message of a connected user; `outcome` is called once.
    pub(crate) async fn post_from_socket(
        &self,
        sender: UserId,
        room_id: RoomId,
        draft: MessageDraft,
        outcome: Outcome,
    ) {
        let file = match self.attachment(draft.file_id, sender).await {
            Ok(file) => file,
            Err(error) => return outcome(Err(error)),
        };
        // Read after the wait above, so that the newest name is used.
        let Some(sender) = self.hub.profile(sender) else {
            return outcome(Err(ServiceError::NotRunning));
        };
        let file = file.map(|(details, links)| summary_of(&details, links));
        self.store_and_publish(
            Posting {
                sender,
                room_id,
                content: draft.content,
                file,
                client_id: draft.client_id,
            },
            outcome,
        )
        .await;
    }

    async fn attachment(
        &self,
        file_id: Option<i64>,
        user: UserId,
    ) -> Result<Option<(FileDetails, FileLinks)>, ServiceError> {
        let Some(file_id) = file_id else {
            return Ok(None);
        };
        let details = self.visible_file(file_id, user).await?;
        let links = self.files.links(&details.file).await;
        Ok(Some((details, links)))
    }

    /// Message that was sent before; it may have been edited or deleted since.
    async fn repeat_answer(
        &self,
        room: &RoomDetails,
        seq: Option<i64>,
    ) -> Result<Vec<u8>, ServiceError> {
        let seq = seq.ok_or(ServiceError::MessageNotFound)?;
        let known = room.members.clone();
        let messages = self
            .database
            .list_messages_after(room.room.id, seq - 1, Some(seq), 1, known)
            .await?;
        let message = messages.first().ok_or(ServiceError::MessageNotFound)?;
        Ok(self.message_answer(message, room).await)
    }

    /// Message, by itself.
    pub(crate) async fn message_answer(
        &self,
        message: &StoredMessage,
        room: &RoomDetails,
    ) -> Vec<u8> {
        let file = match &message.file {
            Some(details) => Some((details, self.files.links(&details.file).await)),
            None => None,
        };
        let mut text = Vec::new();
        push_message(
            &mut text,
            &MessageHead::from(message),
            &to_json(&UserAnswer::from(&*message.sender)),
            &room_to_json(room),
            file.as_ref().map(|(details, links)| (*details, links)),
        );
        text
    }

    async fn store_and_publish(&self, posting: Posting, outcome: Outcome) {
        let Posting {
            sender,
            room_id,
            content,
            file,
            client_id,
        } = posting;
        let permit = self.hub.admit(room_id, content.len()).await;
        let file_id: Option<FileId> = file.as_ref().map(|file| file.id);
        let hub = self.hub.clone();
        let message = NewMessage {
            room_id,
            sender_id: sender.user_id,
            content,
            file_id,
            client_id: client_id.clone().map(String::from),
        };
        let on_stored = Box::new(move |result: Result<Stored, _>| match result {
            Ok(stored) => {
                if !stored.is_repeat {
                    let frame = |client_id| {
                        ServerFrame::Message {
                            id: stored.id,
                            content: &stored.content,
                            room_id,
                            sender: Sender {
                                id: sender.user_id,
                                username: &sender.username,
                                full_name: sender.full_name.as_deref(),
                            },
                            file_id,
                            timestamp: stored.created_at,
                            file: file.as_ref(),
                            seq: stored.seq.map(Seq),
                            client_id,
                            edited_at: None,
                            deleted_at: None,
                        }
                        .encode()
                    };
                    let own = client_id.as_ref().map(ClientId::as_str);
                    let publication = Publication {
                        seq: stored.seq.map(Seq),
                        frame: frame(None),
                        own: own.map(|own| (sender.user_id, frame(Some(own)))),
                    };
                    hub.publish(room_id, publication, permit);
                }
                outcome(Ok(stored));
            }
            Err(error) => outcome(Err(ServiceError::Database(error))),
        });
        self.files.give_way();
        self.writer.submit(message, on_stored).await;
    }
}

pub(crate) fn sender_of(user: &User) -> Sender<'_> {
    Sender {
        id: user.id,
        username: &user.username,
        full_name: user.full_name.as_deref(),
    }
}
