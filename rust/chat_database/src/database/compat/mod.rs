//! The tables of the sibling systems: [`CompatStore`], one file per aggregate.

mod accounts;
mod calls;
mod meetings;
mod rooms;

use super::{Database, query};
use crate::error::DatabaseError;

/// What the sibling systems keep. Whoever holds one knows that its tables are there.
#[derive(Clone, Debug)]
pub struct CompatStore {
    database: Database,
}

impl Database {
    /// The tables of the sibling systems.
    ///
    /// # Errors
    /// [`DatabaseError::SchemaMissing`] if some are missing, which does not keep
    /// anything else from working.
    pub fn compat_store(&self) -> Result<CompatStore, DatabaseError> {
        let missing = &self.migration().missing_compat;
        if missing.is_empty() {
            Ok(CompatStore {
                database: self.clone(),
            })
        } else {
            Err(DatabaseError::SchemaMissing {
                missing: missing.clone(),
            })
        }
    }
}
