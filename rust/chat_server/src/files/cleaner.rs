//! Removes, from time to time, the objects that no row stands for: what uploads
//! left when the process died, and what could not be deleted at once.

use std::sync::Arc;
use std::time::Duration;

use chat_storage::ObjectKey;
use tokio::time::MissedTickBehavior;

use super::library::FileLibrary;

const INTERVAL: Duration = Duration::from_secs(60);
/// Objects per look; if there are more, the next look follows at once.
const BATCH: i64 = 100;

/// Runs until it is dropped. The only process has nothing being uploaded when it starts:
/// what is announced then is left over. Others may be uploading it.
pub(crate) async fn run(library: Arc<FileLibrary>, is_only: bool) {
    if is_only && let Err(error) = library.database.make_all_objects_due().await {
        tracing::warn!(error = error.report(), "left-over objects stay a while");
    }
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while clean(&library).await == Some(BATCH as usize) {}
    }
}

/// Gives the number of objects looked at.
async fn clean(library: &Arc<FileLibrary>) -> Option<usize> {
    library.store().ok()?;
    let due = match library.database.list_due_objects(BATCH).await {
        Ok(due) => due,
        Err(error) => {
            tracing::debug!(
                error = error.report(),
                "left-over objects could not be listed"
            );
            return None;
        }
    };
    let count = due.len();
    // What is no key of ours names no object either.
    let (keys, others): (Vec<_>, Vec<_>) = due
        .into_iter()
        .map(|name| ObjectKey::parse_announced(&name).ok_or(name))
        .partition(Result::is_ok);
    let others = others.into_iter().filter_map(Result::err).collect();
    if let Err(error) = library.database.forget_objects(others).await {
        tracing::debug!(
            error = error.report(),
            "the list of objects could not be changed"
        );
        return None;
    }
    library.remove(keys.into_iter().flatten().collect()).await;
    Some(count)
}
