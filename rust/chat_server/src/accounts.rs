//! Users and tokens (contract section 3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chat_auth::Claims;
use chat_database::{DatabaseError, NewUser, Page, User, UserChanges};
use chat_hub::Profile;
use chat_protocol::ids::UserId;
use serde::Serialize;

use crate::answers::{UserAnswer, to_json};
use crate::chat::Chat;
use crate::error::ServiceError;

/// Whom a valid token names. Whether there is such a user, and an active one, is
/// for [`Chat::authenticate`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer(Claims);

/// The active user a valid token stands for, as read for the use case at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub(crate) user: User,
}

impl Bearer {
    /// The name to look up.
    pub(crate) fn name(&self) -> &str {
        &self.0.subject
    }

    /// When the token expires, or a time so far away that no clock comes there.
    pub(crate) fn expires(&self) -> SystemTime {
        let since_epoch = Duration::from_secs(self.0.expires_at.min(u64::from(u32::MAX)));
        UNIX_EPOCH + since_epoch
    }

    /// Judges what was found under that name.
    pub(crate) fn prove(&self, found: Option<User>) -> Result<Identity, ServiceError> {
        let user = found.ok_or(ServiceError::InvalidToken)?;
        if self.0.user_id.is_some_and(|id| id != user.id.0) {
            return Err(ServiceError::InvalidToken);
        }
        if !user.is_active {
            return Err(ServiceError::InactiveUser);
        }
        Ok(Identity { user })
    }
}

impl Identity {
    pub(crate) fn user_id(&self) -> UserId {
        self.user.id
    }
}

/// Fields of a user to change; what is absent stays.
pub type UserUpdate = UserChanges;

#[derive(Serialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    token_type: &'a str,
}

impl Chat {
    /// Checks a token by itself, without the database.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub fn identify(&self, token: &str) -> Result<Bearer, ServiceError> {
        match self.tokens.verify(token) {
            // PostgreSQL has no text with U+0000, so no user has such a name.
            Ok(claims) if !claims.subject.contains('\0') => Ok(Bearer(claims)),
            _ => Err(ServiceError::InvalidToken),
        }
    }

    /// The user behind a token, read from the database at this moment.
    ///
    /// # Errors
    /// `InvalidToken` for an unknown user and for a username that has changed hands; `InactiveUser`.
    pub async fn authenticate(&self, bearer: &Bearer) -> Result<Identity, ServiceError> {
        let user = self.database.find_user_by_username(bearer.name()).await?;
        bearer.prove(user)
    }

    /// The caller's own User.
    pub fn get_own_user(&self, identity: &Identity) -> Vec<u8> {
        to_json(&UserAnswer::from(&identity.user))
    }

    /// Creates an active user; gives User.
    ///
    /// # Errors
    /// `EmailTaken` (checked first), `UsernameTaken`.
    pub async fn register_user(
        &self,
        username: String,
        email: String,
        full_name: Option<String>,
        password: String,
    ) -> Result<Vec<u8>, ServiceError> {
        self.database
            .find_conflict(Some(&email), Some(&username), None)
            .await?;
        let hashed_password = self.passwords.hash(password).await?;
        let user = self
            .database
            .create_user(NewUser {
                username,
                email,
                full_name,
                hashed_password,
            })
            .await?;
        Ok(to_json(&UserAnswer::from(&user)))
    }

    /// Checks a password; gives `{"access_token","token_type"}`.
    ///
    /// # Errors
    /// `InvalidCredentials`, in the same time for unknown users; `InactiveUser` with the right password only.
    pub async fn login(&self, username: &str, password: String) -> Result<Vec<u8>, ServiceError> {
        let credentials = self.database.find_credentials(username).await?;
        let (user, hash) = match credentials {
            Some(credentials) => (Some(credentials.user), Some(credentials.hashed_password)),
            None => (None, None),
        };
        let verified = self.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|_| verified) else {
            return Err(ServiceError::InvalidCredentials);
        };
        if !user.is_active {
            return Err(ServiceError::InactiveUser);
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let token = self
            .tokens
            .issue(&user.username, user.id.0, now)
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        Ok(to_json(&TokenAnswer {
            access_token: &token,
            token_type: "bearer",
        }))
    }

    /// User by id.
    ///
    /// # Errors
    /// `UserNotFound`.
    pub async fn get_user(&self, user_id: i64) -> Result<Vec<u8>, ServiceError> {
        let id = UserId::from_client(user_id).ok_or(DatabaseError::UserNotFound)?;
        let user = self
            .database
            .find_user(id)
            .await?
            .ok_or(DatabaseError::UserNotFound)?;
        Ok(to_json(&UserAnswer::from(&user)))
    }

    /// User by exact username.
    ///
    /// # Errors
    /// `UserNotFound`.
    pub async fn get_user_by_username(&self, username: &str) -> Result<Vec<u8>, ServiceError> {
        let user = self
            .database
            .find_user_by_username(username)
            .await?
            .ok_or(DatabaseError::UserNotFound)?;
        Ok(to_json(&UserAnswer::from(&user)))
    }

    /// Array of User by ascending id.
    ///
    /// # Errors
    /// Only of the database.
    pub async fn list_users(&self, page: Page) -> Result<Vec<u8>, ServiceError> {
        let users = self.database.list_users(page).await?;
        Ok(to_json(
            &users.iter().map(UserAnswer::from).collect::<Vec<_>>(),
        ))
    }

    /// Changes the caller's own user and tells the open sockets; gives User.
    ///
    /// # Errors
    /// `EmailTaken`, `UsernameTaken`.
    pub async fn update_user(
        &self,
        identity: &Identity,
        changes: UserUpdate,
    ) -> Result<Vec<u8>, ServiceError> {
        self.database
            .find_conflict(
                changes.email.as_deref(),
                changes.username.as_deref(),
                Some(identity.user_id()),
            )
            .await?;
        let user = self
            .database
            .update_user(identity.user_id(), changes)
            .await?;
        self.hub.update_profile(profile_of(&user));
        if !user.is_active {
            self.hub.revoke_user(user.id);
        }
        Ok(to_json(&UserAnswer::from(&user)))
    }
}

pub(crate) fn profile_of(user: &User) -> Profile {
    Profile {
        user_id: user.id,
        username: user.username.clone(),
        full_name: user.full_name.clone(),
    }
}
