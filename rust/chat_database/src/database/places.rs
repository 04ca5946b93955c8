//! What the processes of one database tell each other by.

use std::collections::HashMap;

use chat_protocol::Position;
use chat_protocol::ids::RoomId;

use super::{Database, Pools, query};
use crate::error::DatabaseError;
use crate::instance_lock::{Claim, InstanceLock};
use crate::{postgres, sqlite};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl Database {
    /// Claims the database for this process, see [`InstanceLock`].
    ///
    /// # Errors
    /// [`DatabaseError::InstanceRunning`] if another process has a claim that does not
    /// go with it for more than about ten seconds.
    pub async fn acquire_instance_lock(&self, claim: Claim) -> Result<InstanceLock, DatabaseError> {
        match self.pools() {
            Pools::Postgres(pool) => postgres::acquire_instance_lock(pool, claim).await,
            Pools::Sqlite { url, .. } => sqlite::acquire_instance_lock(url, claim).await,
        }
    }

    /// A name that all processes on this database find, and no other ones.
    pub async fn identity(&self) -> Result<String, DatabaseError> {
        match self.pools() {
            Pools::Postgres(pool) => postgres::identity(pool.connector()).await,
            Pools::Sqlite { url, .. } => {
                let path = url.path().canonicalize();
                let path = path.map_err(DatabaseError::unavailable)?;
                Ok(format!("sqlite:{}", path.display()))
            }
        }
    }

    /// The place of the last message of each of these rooms, and of the last change,
    /// where messages [are numbered](Database::numbers_messages) and
    /// [change](Database::changes_messages). Rooms without messages are left out.
    pub async fn find_newest_places(
        &self,
        rooms: &[RoomId],
    ) -> Result<HashMap<RoomId, Position>, DatabaseError> {
        if rooms.is_empty() || !self.numbers_messages() {
            return Ok(HashMap::new());
        }
        let rooms: Vec<i32> = rooms.iter().map(|room| room.0).collect();
        let has_changes = self.changes_messages();
        query!(self, read places::newest(rooms.clone(), has_changes))
    }
}
