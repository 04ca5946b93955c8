//! Users.

use chat_protocol::ids::UserId;

use super::{Database, query};
use crate::error::DatabaseError;
use crate::models::{Credentials, NewUser, Page, User, UserChanges};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl Database {
    pub async fn find_user(&self, id: UserId) -> Result<Option<User>, DatabaseError> {
        query!(self, read users::find(id))
    }

    /// Exact and case-sensitive.
    pub async fn find_user_by_username(
        &self,
        username: &str,
    ) -> Result<Option<User>, DatabaseError> {
        let username = username.to_owned();
        query!(self, read users::find_by_username(&username))
    }

    /// The user with the password hash, for the log-in.
    pub async fn find_credentials(
        &self,
        username: &str,
    ) -> Result<Option<Credentials>, DatabaseError> {
        let username = username.to_owned();
        query!(self, read users::find_credentials(&username))
    }

    /// All users by id.
    pub async fn list_users(&self, page: Page) -> Result<Vec<User>, DatabaseError> {
        query!(self, read users::list(page))
    }

    /// Whether somebody other than `except` has this e-mail address or name.
    ///
    /// # Errors
    /// [`DatabaseError::EmailTaken`], which is looked at first, or
    /// [`DatabaseError::UsernameTaken`].
    pub async fn find_conflict(
        &self,
        email: Option<&str>,
        username: Option<&str>,
        except: Option<UserId>,
    ) -> Result<(), DatabaseError> {
        let email = email.map(str::to_owned);
        let username = username.map(str::to_owned);
        query!(
            self,
            read users::find_conflict(email.as_deref(), username.as_deref(), except)
        )
    }

    /// Registers an active user.
    ///
    /// # Errors
    /// [`DatabaseError::EmailTaken`] or [`DatabaseError::UsernameTaken`], also
    /// when another registration was a moment faster.
    pub async fn create_user(&self, user: NewUser) -> Result<User, DatabaseError> {
        query!(self, write users::create(&user))
    }

    /// Changes a user; `updated_at` moves only if something really differs.
    ///
    /// # Errors
    /// [`DatabaseError::UserNotFound`], [`DatabaseError::EmailTaken`] or
    /// [`DatabaseError::UsernameTaken`].
    pub async fn update_user(
        &self,
        id: UserId,
        changes: UserChanges,
    ) -> Result<User, DatabaseError> {
        query!(self, write users::update(id, changes.clone()))
    }
}
