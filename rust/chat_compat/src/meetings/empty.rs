//! A meeting in which nobody has been for a while is over. A restart does not change
//! that: since when a meeting is empty is stored, and at the start all are.
//!
//! Of several processes only one knows who is in the meetings; the others write nothing
//! of this.

use std::sync::Weak;
use std::time::Duration;

use chat_database::DatabaseError;
use chrono::{TimeDelta, Utc};
use tokio::sync::watch;

use super::Meetings;
use crate::shared::CompatError;

/// Between two looks at the clock, at most.
const LONGEST_STEP: Duration = Duration::from_secs(10);

impl Meetings {
    /// Stores whether anybody is in the meeting, as it is when its turn comes: the last
    /// one to write has seen the last change.
    pub(super) async fn note_occupancy(&self, meeting: &str) {
        let _one_at_a_time = self.noting.lock().await;
        if !*self.is_home.borrow() {
            return;
        }
        let noted = if self.live.is_occupied(meeting) {
            self.store.set_meeting_occupied(meeting).await
        } else {
            self.store.set_meeting_empty(meeting).await
        };
        if let Err(error) = noted {
            CompatError::from(error).log("meetings");
        }
    }

    /// All are empty but those that somebody has joined just now.
    async fn note_start(&self) -> Result<(), DatabaseError> {
        self.store.set_all_meetings_empty().await?;
        for meeting in self.live.occupied() {
            self.note_occupancy(&meeting).await;
        }
        Ok(())
    }
}

/// Runs until the meetings are dropped.
pub(super) async fn end_empty_meetings(
    meetings: Weak<Meetings>,
    mut is_home: watch::Receiver<bool>,
    patience: Duration,
) {
    let step = (patience / 4).min(LONGEST_STEP);
    let patience = TimeDelta::from_std(patience).unwrap_or(TimeDelta::MAX);
    let mut is_started = false;
    loop {
        let waited = is_home.wait_for(|is_home| *is_home).await.map(|_| ());
        let (Ok(()), Some(meetings)) = (waited, meetings.upgrade()) else {
            return;
        };
        let done = if is_started {
            let since = Utc::now().checked_sub_signed(patience).unwrap_or_default();
            meetings.store.end_empty_meetings(since).await
        } else {
            meetings.note_start().await.map(|()| 0)
        };
        match done {
            Ok(0) => is_started = true,
            Ok(_) => meetings.live.note_ends(),
            // The next look finds what this one could not.
            Err(error) => {
                tracing::debug!(error = error.report(), "empty meetings could not be ended");
            }
        }
        drop(meetings);
        // Whoever was home in between has left the table as it was then.
        if tokio::time::timeout(step, is_home.changed()).await.is_ok() {
            is_started = false;
        }
    }
}
