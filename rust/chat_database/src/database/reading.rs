//! How far users have read.

use chat_protocol::ids::{RoomId, UserId};

use super::{Database, query};
use crate::error::DatabaseError;
use crate::models::{OwnRoom, ReadClaims, ReadOutcome, Reading};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl Database {
    /// Whether it is known how far users have read; see [`Additions`](crate::Additions).
    pub fn knows_reading(&self) -> bool {
        self.inner.migration.additions.reading
    }

    /// The rooms the user is a member of, each once, by id.
    pub async fn list_rooms_of_user(&self, user: UserId) -> Result<Vec<OwnRoom>, DatabaseError> {
        let is_known = self.knows_reading();
        query!(self, read reading::list_rooms(user, is_known))
    }

    /// How far the user has read in a room; none where it is not known.
    pub async fn find_reading(
        &self,
        user: UserId,
        room: RoomId,
    ) -> Result<Option<Reading>, DatabaseError> {
        if !self.knows_reading() {
            return Ok(None);
        }
        let rooms = vec![room.0];
        let mut readings = query!(self, read reading::list(user, rooms.clone()))?;
        Ok(Some(readings.remove(&room).unwrap_or_default()))
    }

    /// Moves the markers of what users have read to the highest of their claims,
    /// forward only; an outcome for each of the `claims`, of which each user and room
    /// has one at most. None where it is not known what users have read.
    pub async fn advance_read_markers(
        &self,
        claims: Vec<ReadClaims>,
    ) -> Result<Option<Vec<ReadOutcome>>, DatabaseError> {
        if !self.knows_reading() {
            return Ok(None);
        }
        query!(self, write reading::advance(&claims)).map(Some)
    }
}
