//! Accounts and tokens of the systems that have their own: each instance is the
//! account space of one.

use std::sync::Arc;

use chat_auth::{RealmClaims, RealmTokens};
use chat_database::CompatStore;
use chat_database::compat::{Account, AccountCredentials, NewAccount, Registered, System};
use chrono::Utc;
use secrecy::SecretString;

use super::{CompatError, ObjectIds, Primary};

#[derive(Debug)]
pub(crate) struct Accounts {
    pub(crate) system: System,
    store: CompatStore,
    primary: Arc<dyn Primary>,
    tokens: RealmTokens,
    ids: Arc<ObjectIds>,
}

/// Somebody who registers; checked and trimmed.
pub(crate) struct NewLogin {
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) password: String,
}

impl Accounts {
    pub(crate) fn new(
        system: System,
        realm: &'static str,
        secret: &SecretString,
        store: CompatStore,
        primary: Arc<dyn Primary>,
        ids: Arc<ObjectIds>,
    ) -> Self {
        Self {
            system,
            store,
            primary,
            tokens: RealmTokens::new(secret, realm),
            ids,
        }
    }

    /// Creates an account, unless the address (looked at first) or the name is taken.
    pub(crate) async fn register(&self, new: NewLogin) -> Result<Registered, CompatError> {
        let email = new.email.to_lowercase();
        // A hash costs a quarter of a second of a core: not for what fails anyway.
        if let Some(conflict) = self
            .store
            .find_account_conflict(self.system, &email, &new.username)
            .await?
        {
            return Ok(conflict);
        }
        let hashed_password = self.primary.hash_password(new.password).await?;
        let account = NewAccount {
            system: self.system,
            id: self.ids.make(Utc::now()),
            username: new.username,
            email,
            hashed_password,
        };
        Ok(self.store.register(account).await?)
    }

    /// The account with this address, if that is its password.
    pub(crate) async fn log_in_by_email(
        &self,
        email: &str,
        password: String,
    ) -> Result<Option<Account>, CompatError> {
        let email = email.trim().to_lowercase();
        let found = self
            .store
            .find_credentials_by_email(self.system, email)
            .await?;
        self.check(found, password).await
    }

    /// The account of this name, if that is its password.
    pub(crate) async fn log_in_by_username(
        &self,
        username: &str,
        password: String,
    ) -> Result<Option<Account>, CompatError> {
        let username = username.trim().to_owned();
        let found = self
            .store
            .find_credentials_by_username(self.system, username)
            .await?;
        self.check(found, password).await
    }

    /// In the same time whether there is such an account or not.
    async fn check(
        &self,
        found: Option<AccountCredentials>,
        password: String,
    ) -> Result<Option<Account>, CompatError> {
        let (account, hash) = match found {
            Some(found) => (Some(found.account), Some(found.hashed_password)),
            None => (None, None),
        };
        let verified = self.primary.verify_password(password, hash).await?;
        Ok(account.filter(|_| verified))
    }

    pub(crate) fn issue_token(&self, account: &Account) -> Result<String, CompatError> {
        let now = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
        self.tokens
            .issue(&account.id, &account.username, now)
            .map_err(|error| CompatError::Internal(error.to_string()))
    }

    /// Whom a token names; whether the account still exists is not looked at.
    pub(crate) fn verify_token(&self, token: &str) -> Option<RealmClaims> {
        self.tokens.verify(token).ok()
    }
}
