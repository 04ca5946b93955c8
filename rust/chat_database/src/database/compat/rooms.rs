//! Rooms, participants and messages.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{CompatStore, query};
use crate::error::DatabaseError;
use crate::models::compat::{
    CreatedRoom, Left, Message, MessageToStore, NewRoom, RoomKey, RoomWithPeople, System,
};
use crate::models::{Joined, Page};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl CompatStore {
    pub async fn create_room(&self, room: NewRoom) -> Result<CreatedRoom, DatabaseError> {
        query!(self.database, transaction compat_rooms::create(&room))
    }

    pub async fn find_room(
        &self,
        system: System,
        id: &str,
    ) -> Result<Option<RoomWithPeople>, DatabaseError> {
        let id = id.to_owned();
        query!(self.database, snapshot compat_rooms::find(system, &id))
    }

    /// The rooms an account takes part in, newest first.
    pub async fn list_rooms_of_account(
        &self,
        system: System,
        account: &str,
    ) -> Result<Vec<RoomWithPeople>, DatabaseError> {
        let account = account.to_owned();
        query!(self.database, snapshot compat_rooms::list_of_account(system, &account))
    }

    /// Newest first.
    pub async fn list_public_rooms(
        &self,
        system: System,
    ) -> Result<Vec<RoomWithPeople>, DatabaseError> {
        query!(self.database, snapshot compat_rooms::list_public(system))
    }

    /// None if there is no such room or account.
    pub async fn add_participant(
        &self,
        system: System,
        room: &str,
        account: &str,
    ) -> Result<Option<Joined>, DatabaseError> {
        let (room, account) = (room.to_owned(), account.to_owned());
        query!(self.database, transaction compat_rooms::add_member(system, &room, &account))
    }

    /// Removes a participant and keeps the room; false if there was none.
    pub async fn remove_participant(
        &self,
        system: System,
        room: &str,
        account: &str,
    ) -> Result<bool, DatabaseError> {
        let (room, account) = (room.to_owned(), account.to_owned());
        query!(self.database, write compat_rooms::remove_member(system, &room, &account))
    }

    /// Removes a participant, and with too few left the room with its messages.
    pub async fn leave_room(
        &self,
        system: System,
        room: &str,
        account: &str,
    ) -> Result<Left, DatabaseError> {
        let (room, account) = (room.to_owned(), account.to_owned());
        query!(self.database, transaction compat_rooms::leave(system, &room, &account))
    }

    /// Stores messages in their order, all or none of them.
    ///
    /// # Errors
    /// Also if a room is gone, which one is not said.
    pub async fn store_messages(&self, group: Vec<MessageToStore>) -> Result<(), DatabaseError> {
        query!(self.database, transaction compat_messages::store(&group))
    }

    /// The time of the message stored last.
    pub async fn newest_message_time(&self) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        query!(self.database, read compat_messages::newest_time())
    }

    /// A part of a room's history, newest first.
    pub async fn list_messages(
        &self,
        room: RoomKey,
        page: Page,
    ) -> Result<Vec<Message>, DatabaseError> {
        query!(self.database, read compat_messages::page(room, page))
    }

    /// The messages before a point in time, newest first.
    pub async fn list_messages_before_time(
        &self,
        room: RoomKey,
        time: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Message>, DatabaseError> {
        query!(self.database, read compat_messages::before_time(room, time, limit))
    }

    /// The messages before another one of the room, newest first; none if it is not there.
    pub async fn list_messages_before(
        &self,
        room: RoomKey,
        message: &str,
        limit: i64,
    ) -> Result<Vec<Message>, DatabaseError> {
        let message = message.to_owned();
        query!(self.database, read compat_messages::before_message(room, &message, limit))
    }

    /// Those of the accounts that exist.
    pub async fn find_existing(
        &self,
        system: System,
        ids: Vec<String>,
    ) -> Result<HashSet<String>, DatabaseError> {
        let people: Result<_, DatabaseError> =
            query!(self.database, read compat_accounts::find_people(system, ids.clone()));
        Ok(people?.into_keys().collect())
    }
}
