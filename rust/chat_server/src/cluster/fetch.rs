//! Brings from the database what other processes have published and what has not
//! arrived here: when something behind it has, and every two seconds.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chat_database::DatabaseError;
use chat_hub::{ChangePublication, Fetched, Publication};
use chat_protocol::Position;
use chat_protocol::ids::{Change, RoomId, Seq};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::changes::change_frame;
use crate::chat::Chat;
use crate::tails::message_frame;

/// From one look at how far the rooms have come to the next.
const LOOK_GAP: Duration = Duration::from_secs(2);
/// Rooms of one question.
const ROOMS_PER_LOOK: usize = 1000;
/// What is fetched of a room at once.
const MAX_FETCHED: i64 = 1000;

/// Something in a room that has not arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) room: RoomId,
    pub(super) behind: Position,
}

pub(super) struct Fetcher {
    chat: Arc<Chat>,
    wanted: mpsc::UnboundedReceiver<Wanted>,
}

impl Fetcher {
    pub(super) fn new(chat: Arc<Chat>, wanted: mpsc::UnboundedReceiver<Wanted>) -> Self {
        Self { chat, wanted }
    }

    pub(super) async fn run(mut self) {
        let mut looks = interval(LOOK_GAP);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut gathered = Vec::new();
        loop {
            let done = tokio::select! {
                count = self.wanted.recv_many(&mut gathered, ROOMS_PER_LOOK) => {
                    if count == 0 {
                        return;
                    }
                    self.fetch_all(std::mem::take(&mut gathered)).await
                }
                _ = looks.tick() => self.look().await,
            };
            if let Err(error) = done {
                // It is asked for again.
                tracing::debug!(
                    error = error.report(),
                    "what other processes have published could not be fetched"
                );
            }
        }
    }

    /// Tells the hub how far the rooms have come.
    async fn look(&self) -> Result<(), DatabaseError> {
        let rooms = self.chat.hub.rooms_listened_to();
        for rooms in rooms.chunks(ROOMS_PER_LOOK) {
            let newest = self.chat.database.find_newest_places(rooms).await?;
            for (room, newest) in newest {
                self.chat.hub.expect(room, newest);
            }
        }
        Ok(())
    }

    /// Rooms that are asked for again while the database was slow are fetched once.
    async fn fetch_all(&self, wanted: Vec<Wanted>) -> Result<(), DatabaseError> {
        let mut done = HashSet::new();
        for Wanted { room, behind } in wanted.into_iter().rev() {
            if done.insert(room) {
                let fetched = self.fetch(room, behind).await?;
                self.chat.hub.fill(room, fetched);
            }
        }
        Ok(())
    }

    async fn fetch(&self, room: RoomId, behind: Position) -> Result<Fetched, DatabaseError> {
        let chat = &self.chat;
        // First: what is stored up to there is among what is read afterwards.
        let newest = chat.database.find_newest_places(&[room]).await?;
        let newest = newest.get(&room).copied().unwrap_or_default();
        let stored = chat
            .database
            .list_messages_after(room, behind.seq.0, None, MAX_FETCHED, Vec::new())
            .await?;
        let mut messages = Vec::with_capacity(stored.len());
        for message in &stored {
            messages.push(Publication {
                seq: message.seq.map(Seq),
                frame: message_frame(&chat.files, message).await,
                own: None,
            });
        }
        let last = messages.last().and_then(|message| message.seq);
        let seq = last_of(last, messages.len(), newest.seq);
        let mut up_to = Position { seq, change: None };
        let mut changes = Vec::new();
        if let (Some(after), Some(newest)) = (behind.change, newest.change) {
            changes = self.fetch_changes(room, after).await?;
            let last = changes.last().map(|change| change.change);
            up_to.change = Some(last_of(last, changes.len(), newest));
        }
        Ok(Fetched {
            messages,
            changes,
            up_to,
        })
    }

    async fn fetch_changes(
        &self,
        room: RoomId,
        after: Change,
    ) -> Result<Vec<ChangePublication>, DatabaseError> {
        let database = &self.chat.database;
        let changed = database
            .list_changes_after(room, after.0, MAX_FETCHED)
            .await?;
        let mut changes = Vec::with_capacity(changed.len());
        for change in changed {
            // None if somebody has removed its row meanwhile: then there is nothing to say.
            if let Some(message) = database.find_message(room, change.id).await? {
                changes.push(ChangePublication {
                    change: Change(change.change),
                    seq: Seq(change.seq),
                    frame: change_frame(room, &change),
                    message: message_frame(&self.chat.files, &message).await,
                });
            }
        }
        Ok(changes)
    }
}

/// Up to where everything has been read, given the last of so many, and how far the
/// room had come before.
fn last_of<T: Copy + Ord>(last: Option<T>, count: usize, newest: T) -> T {
    match last {
        Some(last) if count >= MAX_FETCHED as usize => last,
        Some(last) => last.max(newest),
        None => newest,
    }
}
