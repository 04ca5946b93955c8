//! What the sibling systems ask of this service: its accounts and its password threads.

use chat_compat::{BoxFuture, CompatError, Primary, PrimaryUser};

use crate::chat::Chat;
use crate::error::ServiceError;

impl Primary for Chat {
    fn find_bearer<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<PrimaryUser>, CompatError>> {
        Box::pin(async move {
            let Ok(bearer) = self.identify(token) else {
                return Ok(None);
            };
            match self.authenticate(&bearer).await {
                Ok(identity) => Ok(Some(PrimaryUser {
                    id: identity.user_id(),
                    username: identity.user.username,
                })),
                Err(ServiceError::InvalidToken | ServiceError::InactiveUser) => Ok(None),
                Err(error) => Err(to_compat(error)),
            }
        })
    }

    fn hash_password(&self, password: String) -> BoxFuture<'_, Result<String, CompatError>> {
        Box::pin(async move { self.passwords.hash(password).await.map_err(to_compat) })
    }

    fn verify_password(
        &self,
        password: String,
        hash: Option<String>,
    ) -> BoxFuture<'_, Result<bool, CompatError>> {
        Box::pin(async move {
            let verified = self.passwords.verify(password, hash).await;
            verified.map_err(to_compat)
        })
    }
}

fn to_compat(error: ServiceError) -> CompatError {
    match error {
        ServiceError::Database(error) => CompatError::Database(error),
        ServiceError::NotRunning => CompatError::NotRunning,
        other => CompatError::Internal(other.report()),
    }
}
