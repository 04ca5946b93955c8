//! The newest messages of a room for connections that come back: read once, however
//! many come back at once.

use std::sync::{Arc, Weak};

use chat_database::{DatabaseError, StoredMessage};
use chat_hub::{LoadedChange, LoadedChanges, LoadedTail};
use chat_protocol::ids::{Change, RoomId, Seq};
use chat_protocol::{EncodedFrame, ServerFrame};
use dashmap::DashMap;
use tokio::sync::OnceCell;

use crate::changes::change_frame;
use crate::chat::Chat;
use crate::files::{FileLibrary, summary_of};
use crate::messages::sender_of;

type Load = OnceCell<Option<LoadedTail>>;

/// The reading under way. Whoever asks meanwhile for the same room gets its result:
/// what was published since is kept by the hub, because a room is held from before
/// the reading until the joining.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    loads: DashMap<RoomId, Weak<Load>>,
}

impl Tails {
    fn load(&self, room: RoomId) -> Arc<Load> {
        let mut entry = self.loads.entry(room).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let load = Arc::default();
            *entry = Arc::downgrade(&load);
            load
        })
    }

    fn forget(&self, room: RoomId, load: Arc<Load>) {
        drop(load);
        self.loads
            .remove_if(&room, |_, load| load.strong_count() == 0);
    }
}

impl Chat {
    /// None if messages have no places here, or cannot be read.
    pub(crate) async fn load_tail(&self, room_id: RoomId) -> Option<LoadedTail> {
        let load = self.tails.load(room_id);
        let tail = load.get_or_init(|| self.read_tail(room_id)).await.clone();
        self.tails.forget(room_id, load);
        tail
    }

    async fn read_tail(&self, room_id: RoomId) -> Option<LoadedTail> {
        match self.try_read_tail(room_id).await {
            Ok(tail) => tail,
            Err(error) => {
                let (error, room) = (error.report(), room_id.0);
                tracing::warn!(error, room, "what a client missed could not be read");
                None
            }
        }
    }

    async fn try_read_tail(&self, room_id: RoomId) -> Result<Option<LoadedTail>, DatabaseError> {
        if !self.database.numbers_messages() {
            return Ok(None);
        }
        let limit = i64::try_from(self.resume_max_messages).unwrap_or(i64::MAX);
        // Before the messages: what is changed from here on is published to the hub.
        let changes = self.read_changes(room_id, limit.max(1)).await?;
        let newest_first = self
            .database
            .list_messages_before(room_id, i64::MAX, limit.max(1), Vec::new())
            .await?;
        let last = newest_first.first().and_then(|message| message.seq);
        let last = last.unwrap_or_default();
        let mut frames = Vec::with_capacity(newest_first.len());
        for (message, place) in newest_first.iter().zip((0..=last).rev()) {
            // A row that somebody has deleted leaves a gap, and a tail has none.
            if message.seq != Some(place) {
                break;
            }
            frames.push(message_frame(&self.files, message).await);
        }
        frames.reverse();
        Ok(Some(LoadedTail {
            last: Seq(last),
            frames,
            changes,
        }))
    }

    async fn read_changes(
        &self,
        room_id: RoomId,
        limit: i64,
    ) -> Result<Option<LoadedChanges>, DatabaseError> {
        if !self.database.changes_messages() {
            return Ok(None);
        }
        let newest = self.database.list_newest_changes(room_id, limit).await?;
        let changes = newest.messages.iter().map(|message| LoadedChange {
            change: Change(message.change),
            seq: Seq(message.seq),
            frame: change_frame(room_id, message),
        });
        Ok(Some(LoadedChanges {
            last: Change(newest.last),
            after: Change(newest.after),
            changes: changes.collect(),
        }))
    }
}

/// A message as its readers got it when it was new, but for what has happened to it.
pub(crate) async fn message_frame(files: &FileLibrary, message: &StoredMessage) -> EncodedFrame {
    let file = match &message.file {
        Some(details) => Some(summary_of(details, files.links(&details.file).await)),
        None => None,
    };
    ServerFrame::Message {
        id: message.id,
        content: &message.content,
        room_id: message.room_id,
        sender: sender_of(&message.sender),
        file_id: file.as_ref().map(|file| file.id),
        timestamp: message.created_at.unwrap_or_default(),
        file: file.as_ref(),
        seq: message.seq.map(Seq),
        client_id: None,
        edited_at: message.edited_at,
        deleted_at: message.deleted_at,
    }
    .encode()
}
