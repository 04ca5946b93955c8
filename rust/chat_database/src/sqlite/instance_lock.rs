//! The instance locks of an SQLite database: locked files beside it.
//!
//! The operating system unlocks it when the process ends, however it ends.
//! The file itself stays: removing it would let two processes lock two files
//! of the same name.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::error::DatabaseError;
use crate::instance_lock::{Claim, InstanceLock, Patience};
use crate::url::SqliteUrl;

/// Locks `<database file>.lock`, waiting up to ten seconds, or `<database file>.home`.
///
/// # Errors
/// [`DatabaseError::InstanceRunning`] if another process keeps it locked;
/// [`DatabaseError::Unavailable`] if the file cannot be made.
pub(crate) async fn acquire_instance_lock(
    url: &SqliteUrl,
    claim: Claim,
) -> Result<InstanceLock, DatabaseError> {
    let mut path = url.path().as_os_str().to_owned();
    path.push(match claim {
        Claim::Only | Claim::Member => ".lock",
        Claim::Home => ".home",
    });
    let path = PathBuf::from(path);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(DatabaseError::unavailable)?;
    let patience = Patience::begin(claim);
    while !try_lock(&file, claim)? {
        patience.pause().await?;
    }
    Ok(InstanceLock::from_file(file))
}

fn try_lock(file: &File, claim: Claim) -> Result<bool, DatabaseError> {
    let locked = match claim {
        Claim::Only | Claim::Home => file.try_lock(),
        Claim::Member => file.try_lock_shared(),
    };
    match locked {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(DatabaseError::unavailable(error)),
    }
}
