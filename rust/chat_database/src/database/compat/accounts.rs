//! Accounts.

use super::{CompatStore, query};
use crate::error::DatabaseError;
use crate::models::compat::{Account, AccountCredentials, NewAccount, Person, Registered, System};

/// Every method may fail with [`DatabaseError::Unavailable`].
impl CompatStore {
    pub async fn register(&self, account: NewAccount) -> Result<Registered, DatabaseError> {
        query!(self.database, write compat_accounts::register(&account))
    }

    /// What a registration with this address (in lower case) and name would meet.
    pub async fn find_account_conflict(
        &self,
        system: System,
        email: &str,
        username: &str,
    ) -> Result<Option<Registered>, DatabaseError> {
        let (email, username) = (email.to_owned(), username.to_owned());
        query!(self.database, read compat_accounts::find_conflict(system, &email, &username))
    }

    pub async fn find_account(
        &self,
        system: System,
        id: &str,
    ) -> Result<Option<Account>, DatabaseError> {
        let id = id.to_owned();
        query!(self.database, read compat_accounts::find(system, &id))
    }

    /// By e-mail address in lower case.
    pub async fn find_credentials_by_email(
        &self,
        system: System,
        email: String,
    ) -> Result<Option<AccountCredentials>, DatabaseError> {
        query!(self.database, read compat_accounts::find_credentials_by_email(system, &email))
    }

    /// By exact username.
    pub async fn find_credentials_by_username(
        &self,
        system: System,
        username: String,
    ) -> Result<Option<AccountCredentials>, DatabaseError> {
        query!(self.database, read compat_accounts::find_credentials_by_username(system, &username))
    }

    /// Whose username contains the text, whatever its case, but one; by name.
    pub async fn search_accounts(
        &self,
        system: System,
        text: String,
        except: &str,
        limit: i64,
    ) -> Result<Vec<Person>, DatabaseError> {
        let except = except.to_owned();
        query!(self.database, read compat_accounts::search(system, &text, &except, limit))
    }
}
