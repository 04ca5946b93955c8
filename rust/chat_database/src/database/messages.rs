//! Messages: reading them. They are stored by the `MessageWriter`.

use std::sync::Arc;

use chat_protocol::ids::RoomId;
use chrono::{DateTime, Utc};

use super::{Database, query};
use crate::error::DatabaseError;
use crate::models::{Page, StoredMessage, User};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl Database {
    /// The history of a room, newest first. Senders who are in `known` are taken
    /// from there instead of being read.
    pub async fn list_messages(
        &self,
        room: RoomId,
        page: Page,
        known: Vec<Arc<User>>,
    ) -> Result<Vec<StoredMessage>, DatabaseError> {
        let tables = self.file_tables();
        let is_numbered = self.numbers_messages();
        query!(self, read messages::list(tables, is_numbered, room, page, &known))
    }

    /// What was stored in a room after the message with the number `after`, and up
    /// to the one with `up_to`: the first `limit` of it, in the order of the numbers.
    /// Costs the same wherever in the room. Empty where messages have no numbers.
    pub async fn list_messages_after(
        &self,
        room: RoomId,
        after: i64,
        up_to: Option<i64>,
        limit: i64,
        known: Vec<Arc<User>>,
    ) -> Result<Vec<StoredMessage>, DatabaseError> {
        if !self.numbers_messages() {
            return Ok(Vec::new());
        }
        let tables = self.file_tables();
        let up_to = up_to.unwrap_or(i64::MAX);
        query!(self, read messages::list_after(tables, room, after, up_to, limit, &known))
    }

    /// What was stored in a room before the message with the number `before`: the
    /// last `limit` of it, the newest first; otherwise as
    /// [`list_messages_after`](Self::list_messages_after).
    pub async fn list_messages_before(
        &self,
        room: RoomId,
        before: i64,
        limit: i64,
        known: Vec<Arc<User>>,
    ) -> Result<Vec<StoredMessage>, DatabaseError> {
        if !self.numbers_messages() {
            return Ok(Vec::new());
        }
        let tables = self.file_tables();
        query!(self, read messages::list_before(tables, room, before, limit, &known))
    }

    /// The number of the last message that was stored in a room, 0 before the first;
    /// none where messages have no numbers.
    pub async fn find_last_seq(&self, room: RoomId) -> Result<Option<i64>, DatabaseError> {
        if !self.numbers_messages() {
            return Ok(None);
        }
        let last = query!(self, read messages::last_seq(room))?;
        Ok(Some(last))
    }

    /// Forgets for which `client_id`s messages were stored or changed long ago, a bounded
    /// number of those that were stored; true if there are more.
    pub async fn delete_expired_receipts(&self) -> Result<bool, DatabaseError> {
        if !self.numbers_messages() {
            return Ok(false);
        }
        if self.changes_messages() {
            query!(self, write changes::delete_expired_receipts())?;
        }
        query!(self, write receipts::delete_expired())
    }

    /// The latest time among the messages stored last, for the writer's clock.
    pub(crate) async fn newest_message_time(&self) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        query!(self, read messages::newest_time())
    }
}
