//! Rooms and memberships.

use chat_protocol::ids::{RoomId, UserId};

use super::{Database, query};
use crate::error::DatabaseError;
use crate::models::{Joined, NewRoom, Page, RoomAccess, RoomChanges, RoomDetails, User};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl Database {
    /// The public rooms by id. Rooms without owner or without a privacy flag,
    /// which old databases may hold, are left out.
    pub async fn list_public_rooms(&self, page: Page) -> Result<Vec<RoomDetails>, DatabaseError> {
        query!(self, read rooms::list_public(page))
    }

    pub async fn find_room_details(
        &self,
        id: RoomId,
    ) -> Result<Option<RoomDetails>, DatabaseError> {
        query!(self, read rooms::find_details(id))
    }

    /// For each name and room the user of that name, and the room with the
    /// user's place in it, see [`RoomAccess::allows`]: what handshakes are decided
    /// by, in one query for all of them.
    pub async fn find_entries(
        &self,
        wanted: Vec<(String, RoomId)>,
    ) -> Result<Vec<(Option<User>, Option<RoomAccess>)>, DatabaseError> {
        query!(self, read access::find_entries(&wanted))
    }

    /// The room and the user's place in it, see [`RoomAccess::allows`].
    pub async fn find_room_access(
        &self,
        id: RoomId,
        user: UserId,
    ) -> Result<Option<RoomAccess>, DatabaseError> {
        query!(self, read rooms::find_access(id, user))
    }

    /// Of these connected users and their rooms, the pairs that have lost their
    /// access since, by whatever hand.
    pub async fn find_lost_access(
        &self,
        pairs: Vec<(UserId, RoomId)>,
    ) -> Result<Vec<(UserId, RoomId)>, DatabaseError> {
        query!(self, snapshot access::find_lost(&pairs))
    }

    /// Creates a room with its owner as the first member.
    ///
    /// # Errors
    /// [`DatabaseError::UserNotFound`] if there is no such owner.
    pub async fn create_room(&self, room: NewRoom) -> Result<RoomDetails, DatabaseError> {
        query!(self, transaction rooms::create(&room))
    }

    /// Changes a room; `updated_at` moves only if something really differs.
    ///
    /// # Errors
    /// [`DatabaseError::RoomNotFound`].
    pub async fn update_room(
        &self,
        id: RoomId,
        changes: RoomChanges,
    ) -> Result<RoomDetails, DatabaseError> {
        query!(self, write rooms::update(id, changes.clone()))
    }

    /// Makes the user a member. However many calls for the same pair run at
    /// once, one row is left and one of them answers [`Joined::Added`].
    ///
    /// # Errors
    /// [`DatabaseError::RoomNotFound`] or [`DatabaseError::UserNotFound`].
    pub async fn add_member(&self, room: RoomId, user: UserId) -> Result<Joined, DatabaseError> {
        query!(self, transaction memberships::add(room, user))
    }

    /// Ends the membership; false if there was none.
    pub async fn remove_member(&self, room: RoomId, user: UserId) -> Result<bool, DatabaseError> {
        query!(self, write memberships::remove(room, user))
    }

    /// The members, each once, by id; none for a room that does not exist.
    pub async fn list_members(&self, room: RoomId) -> Result<Vec<User>, DatabaseError> {
        query!(self, read memberships::list_members(room))
    }
}
