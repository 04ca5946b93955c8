//! Meetings.

use chrono::{DateTime, Utc};

use super::{CompatStore, query};
use crate::error::DatabaseError;
use crate::models::compat::{EndedMeeting, Meeting};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl CompatStore {
    pub async fn create_meeting(
        &self,
        id: String,
        creator: &str,
    ) -> Result<Meeting, DatabaseError> {
        let creator = creator.to_owned();
        query!(self.database, write compat_meetings::create(&id, &creator))
    }

    pub async fn find_meeting(&self, id: &str) -> Result<Option<Meeting>, DatabaseError> {
        let id = id.to_owned();
        query!(self.database, read compat_meetings::find(&id))
    }

    /// Ends a meeting if `user` created it.
    pub async fn end_meeting(&self, id: &str, user: &str) -> Result<EndedMeeting, DatabaseError> {
        let (id, user) = (id.to_owned(), user.to_owned());
        query!(self.database, write compat_meetings::end(&id, &user))
    }

    /// Notes that somebody is in the meeting.
    pub async fn set_meeting_occupied(&self, id: &str) -> Result<(), DatabaseError> {
        let id = id.to_owned();
        query!(self.database, write compat_meetings::set_occupied(&id))
    }

    /// Notes that the last participant has gone.
    pub async fn set_meeting_empty(&self, id: &str) -> Result<(), DatabaseError> {
        let id = id.to_owned();
        query!(self.database, write compat_meetings::set_empty(&id))
    }

    /// For the start: nobody is in a meeting now, whatever was noted.
    pub async fn set_all_meetings_empty(&self) -> Result<(), DatabaseError> {
        query!(self.database, write compat_meetings::set_all_empty())
    }

    /// Ends the active meetings that have been empty since that time or longer, and counts them.
    pub async fn end_empty_meetings(&self, since: DateTime<Utc>) -> Result<usize, DatabaseError> {
        query!(self.database, write compat_meetings::end_empty(since))
    }
}
