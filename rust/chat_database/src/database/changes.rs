//! Changes of messages.

use chat_protocol::ids::{MessageId, RoomId};

use super::{Database, query};
use crate::error::DatabaseError;
use crate::models::{Changed, ChangedMessage, NewChange, NewestChanges, StoredMessage};

/// Every method may fail with [`DatabaseError::Unavailable`]. Only for databases
/// that [change messages](Database::changes_messages).
impl Database {
    /// One message, if it is in that room.
    pub async fn find_message(
        &self,
        room: RoomId,
        id: MessageId,
    ) -> Result<Option<StoredMessage>, DatabaseError> {
        let tables = self.file_tables();
        query!(self, read messages::find(tables, room, id))
    }

    /// Makes all of these changes in their order, or none of them. For each what became
    /// of it; none if there is no such message, or it is deleted and was to be edited.
    pub async fn change_messages(
        &self,
        changes: Vec<NewChange>,
    ) -> Result<Vec<Option<Changed>>, DatabaseError> {
        let tables = self.file_tables();
        query!(self, transaction changes::make(tables, &changes))
    }

    /// The first `limit` messages of a room whose last change is behind `after`, in the
    /// order of these changes.
    pub async fn list_changes_after(
        &self,
        room: RoomId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ChangedMessage>, DatabaseError> {
        query!(self, read changes::list_after(room, after, limit))
    }

    /// The newest changes of a room, of at most `limit` messages.
    pub async fn list_newest_changes(
        &self,
        room: RoomId,
        limit: i64,
    ) -> Result<NewestChanges, DatabaseError> {
        query!(self, read changes::newest(room, limit))
    }
}
