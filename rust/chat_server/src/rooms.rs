//! Rooms and memberships (contract sections 5 and 6.6). Everything that takes an
//! access away tells the hub, which closes the sockets it concerns.

use chat_database::{DatabaseError, Joined, NewRoom, Page, RoomAccess, RoomChanges, RoomDetails};
use chat_protocol::OnlineUser;
use chat_protocol::ids::{RoomId, UserId};
use serde::Serialize;

use crate::accounts::Identity;
use crate::answers::{UserAnswer, own_rooms_to_json, room_to_json, rooms_to_json, to_json};
use crate::chat::Chat;
use crate::error::ServiceError;

/// Fields of a room to change; what is absent stays.
pub type RoomUpdate = RoomChanges;

/// How a new member is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberName {
    Id(i64),
    Username(String),
}

#[derive(Serialize)]
struct OnlineAnswer<'a> {
    room_id: RoomId,
    online_users: Vec<OnlineUser<'a>>,
    count: usize,
}

impl Chat {
    /// Array of the public rooms by ascending id.
    ///
    /// # Errors
    /// Only of the database.
    pub async fn list_public_rooms(&self, page: Page) -> Result<Vec<u8>, ServiceError> {
        Ok(rooms_to_json(&self.database.list_public_rooms(page).await?))
    }

    /// Array of the rooms the user is a member of, by ascending id, each with how far the
    /// user has read.
    ///
    /// # Errors
    /// Only of the database.
    pub async fn list_rooms_of_user(&self, identity: &Identity) -> Result<Vec<u8>, ServiceError> {
        let rooms = self.database.list_rooms_of_user(identity.user_id()).await?;
        Ok(own_rooms_to_json(&rooms))
    }

    /// Creates a room with the caller as owner and first member; gives Room.
    ///
    /// # Errors
    /// Only of the database.
    pub async fn create_room(
        &self,
        identity: &Identity,
        name: String,
        description: Option<String>,
        is_private: bool,
    ) -> Result<Vec<u8>, ServiceError> {
        let room = NewRoom {
            name,
            description,
            is_private,
            owner_id: identity.user_id(),
        };
        Ok(room_to_json(&self.database.create_room(room).await?))
    }

    /// Room, for whoever has access.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`.
    pub async fn get_room(
        &self,
        identity: &Identity,
        room_id: i64,
    ) -> Result<Vec<u8>, ServiceError> {
        let details = self.accessible_details(room_id, identity.user_id()).await?;
        Ok(room_to_json(&details))
    }

    /// Changes a room; gives Room. If it is private now, sockets of people without access are closed.
    ///
    /// # Errors
    /// `RoomNotFound`, `NotRoomOwner`.
    pub async fn update_room(
        &self,
        identity: &Identity,
        room_id: i64,
        changes: RoomUpdate,
    ) -> Result<Vec<u8>, ServiceError> {
        let access = self.owned_room(identity, room_id).await?;
        let turns_private = changes.is_private == Some(true);
        let details = self.database.update_room(access.room.id, changes).await?;
        if turns_private {
            let members = details.members.iter().map(|member| member.id);
            let allowed = members.chain(details.room.owner_id).collect();
            self.hub.revoke_room_except(details.room.id, allowed);
        }
        Ok(room_to_json(&details))
    }

    /// Makes the caller a member; false if already one.
    ///
    /// # Errors
    /// `RoomNotFound`; `RoomAccessDenied` for a private room.
    pub async fn join_room(&self, identity: &Identity, room_id: i64) -> Result<bool, ServiceError> {
        let access = self.accessible_room(room_id, identity.user_id()).await?;
        if access.is_member {
            return Ok(false);
        }
        Ok(self
            .database
            .add_member(access.room.id, identity.user_id())
            .await?
            == Joined::Added)
    }

    /// Ends the caller's membership; in a private room the sockets close.
    ///
    /// # Errors
    /// `RoomNotFound`, `OwnerCannotLeave`, `NotAMember`.
    pub async fn leave_room(&self, identity: &Identity, room_id: i64) -> Result<(), ServiceError> {
        let access = self.room_access(room_id, identity.user_id()).await?;
        if access.room.owner_id == Some(identity.user_id()) {
            return Err(ServiceError::OwnerCannotLeave);
        }
        if !self
            .database
            .remove_member(access.room.id, identity.user_id())
            .await?
        {
            return Err(ServiceError::NotAMember);
        }
        // Decided on the room as it is now: it may have turned private meanwhile.
        let still_allowed = self
            .room_access(room_id, identity.user_id())
            .await?
            .allows(identity.user_id());
        if !still_allowed {
            self.hub
                .revoke_user_in_room(identity.user_id(), access.room.id);
        }
        Ok(())
    }

    /// Makes somebody a member, on the owner's word; gives that User.
    ///
    /// # Errors
    /// `RoomNotFound`, `NotRoomOwner`, `UserNotFound`.
    pub async fn add_room_member(
        &self,
        identity: &Identity,
        room_id: i64,
        member: MemberName,
    ) -> Result<Vec<u8>, ServiceError> {
        let access = self.owned_room(identity, room_id).await?;
        let user = match member {
            MemberName::Id(id) => match UserId::from_client(id) {
                Some(id) => self.database.find_user(id).await?,
                None => None,
            },
            MemberName::Username(username) => {
                self.database.find_user_by_username(&username).await?
            }
        };
        let user = user.ok_or(DatabaseError::UserNotFound)?;
        self.database.add_member(access.room.id, user.id).await?;
        Ok(to_json(&UserAnswer::from(&user)))
    }

    /// Array of the members by ascending id, for whoever has access.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`.
    pub async fn list_room_members(
        &self,
        identity: &Identity,
        room_id: i64,
    ) -> Result<Vec<u8>, ServiceError> {
        let access = self.accessible_room(room_id, identity.user_id()).await?;
        let members = self.database.list_members(access.room.id).await?;
        Ok(to_json(
            &members.iter().map(UserAnswer::from).collect::<Vec<_>>(),
        ))
    }

    /// `{"room_id","online_users","count"}`, for whoever has access.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`.
    pub async fn list_online_users(
        &self,
        identity: &Identity,
        room_id: i64,
    ) -> Result<Vec<u8>, ServiceError> {
        let access = self.accessible_room(room_id, identity.user_id()).await?;
        let profiles = self.hub.online_users(access.room.id);
        let online_users: Vec<_> = profiles
            .iter()
            .map(|profile| OnlineUser {
                id: profile.user_id,
                username: &profile.username,
                full_name: profile.full_name.as_deref(),
            })
            .collect();
        Ok(to_json(&OnlineAnswer {
            room_id: access.room.id,
            count: online_users.len(),
            online_users,
        }))
    }

    async fn room_access(&self, room_id: i64, user_id: UserId) -> Result<RoomAccess, ServiceError> {
        let id = RoomId::from_client(room_id).ok_or(DatabaseError::RoomNotFound)?;
        Ok(self
            .database
            .find_room_access(id, user_id)
            .await?
            .ok_or(DatabaseError::RoomNotFound)?)
    }

    pub(crate) async fn accessible_room(
        &self,
        room_id: i64,
        user_id: UserId,
    ) -> Result<RoomAccess, ServiceError> {
        let access = self.room_access(room_id, user_id).await?;
        if access.allows(user_id) {
            Ok(access)
        } else {
            Err(ServiceError::RoomAccessDenied)
        }
    }

    /// The whole room in one go: its members also decide the access.
    pub(crate) async fn accessible_details(
        &self,
        room_id: i64,
        user_id: UserId,
    ) -> Result<RoomDetails, ServiceError> {
        let id = RoomId::from_client(room_id).ok_or(DatabaseError::RoomNotFound)?;
        let details = self
            .database
            .find_room_details(id)
            .await?
            .ok_or(DatabaseError::RoomNotFound)?;
        let is_member = details.members.iter().any(|member| member.id == user_id);
        if !details.room.is_private || is_member || details.room.owner_id == Some(user_id) {
            Ok(details)
        } else {
            Err(ServiceError::RoomAccessDenied)
        }
    }

    async fn owned_room(
        &self,
        identity: &Identity,
        room_id: i64,
    ) -> Result<RoomAccess, ServiceError> {
        let access = self.room_access(room_id, identity.user_id()).await?;
        if access.room.owner_id == Some(identity.user_id()) {
            Ok(access)
        } else {
            Err(ServiceError::NotRoomOwner)
        }
    }
}
