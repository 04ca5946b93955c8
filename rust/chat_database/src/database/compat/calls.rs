//! Calls: users, calls and voice rooms.

use super::{CompatStore, query};
use crate::error::DatabaseError;
use crate::models::compat::{
    Call, CallRoom, CallUser, CallWithParties, EndedCall, MediaRoom, NewCallUser,
};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl CompatStore {
    pub async fn create_call_user(&self, user: NewCallUser) -> Result<CallUser, DatabaseError> {
        query!(self.database, write compat_calls::create_user(&user))
    }

    /// In the order of their creation.
    pub async fn list_call_users(&self) -> Result<Vec<CallUser>, DatabaseError> {
        query!(self.database, read compat_calls::list_users())
    }

    pub async fn find_call_user(&self, id: &str) -> Result<Option<CallUser>, DatabaseError> {
        let id = id.to_owned();
        query!(self.database, read compat_calls::find_user(&id))
    }

    pub async fn attach_call_device(
        &self,
        user: CallUser,
        sip_peer: String,
    ) -> Result<CallUser, DatabaseError> {
        query!(self.database, write compat_calls::attach_device(&user, &sip_peer))
    }

    pub async fn create_call(
        &self,
        id: String,
        room_name: String,
        from: CallUser,
        to: CallUser,
    ) -> Result<Call, DatabaseError> {
        query!(self.database, write compat_calls::create_call(&id, &room_name, &from, &to))
    }

    /// The call with caller and callee.
    pub async fn find_call(&self, id: &str) -> Result<Option<CallWithParties>, DatabaseError> {
        let id = id.to_owned();
        query!(self.database, snapshot compat_calls::find_call(&id))
    }

    pub async fn end_call(&self, call: Call) -> Result<EndedCall, DatabaseError> {
        query!(self.database, transaction compat_calls::end_call(&call))
    }

    /// The callee has answered.
    pub async fn activate_call(&self, call: Call) -> Result<(), DatabaseError> {
        query!(self.database, write compat_calls::activate_call(&call))
    }

    pub async fn create_call_room(
        &self,
        id: String,
        name: String,
        room_name: String,
    ) -> Result<CallRoom, DatabaseError> {
        query!(self.database, write compat_calls::create_room(&id, &name, &room_name))
    }

    /// In the order of their creation.
    pub async fn list_call_rooms(&self) -> Result<Vec<CallRoom>, DatabaseError> {
        query!(self.database, snapshot compat_calls::list_rooms())
    }

    pub async fn find_call_room(&self, id: &str) -> Result<Option<CallRoom>, DatabaseError> {
        let id = id.to_owned();
        query!(self.database, snapshot compat_calls::find_room(&id))
    }

    /// In the order of joining.
    pub async fn list_call_room_users(
        &self,
        room: CallRoom,
    ) -> Result<Vec<CallUser>, DatabaseError> {
        query!(self.database, read compat_calls::list_room_users(&room))
    }

    /// Joining again changes nothing.
    pub async fn join_call_room(
        &self,
        room: CallRoom,
        user: CallUser,
    ) -> Result<(), DatabaseError> {
        query!(self.database, write compat_calls::join_room(&room, &user))
    }

    /// The call or room of that name or id.
    pub async fn find_media_room(&self, name: &str) -> Result<Option<MediaRoom>, DatabaseError> {
        let name = name.to_owned();
        query!(self.database, snapshot compat_calls::find_media_room(&name))
    }
}
