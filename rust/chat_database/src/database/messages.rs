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
        query!(self, read messages::list(tables, room, page, &known))
    }

    /// The latest time among the messages stored last, for the writer's clock.
    pub(crate) async fn newest_message_time(&self) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        query!(self, read messages::newest_time())
    }
}
