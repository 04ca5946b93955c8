//! Accounts of the sibling systems: registration, log-in, search.

use std::collections::HashMap;

use diesel::{
    BoolExpressionMethods, EscapeExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl,
    TextExpressionMethods,
};

use super::{Connection, RunQueryDsl};
use crate::backend::{among, paged};
use crate::error::DatabaseError;
use crate::models::Page;
use crate::models::compat::{
    ACCOUNT_COLUMNS, Account, AccountCredentials, NewAccount, Person, Registered, System,
};
use crate::schema::compat::compat_accounts;
use crate::timestamp::{Moment, now};

/// Of two equal registrations at once the unique indexes let one through.
pub(crate) async fn register(
    connection: &mut Connection,
    new: &NewAccount,
) -> Result<Registered, DatabaseError> {
    if let Some(conflict) = find_conflict(connection, new.system, &new.email, &new.username).await?
    {
        return Ok(conflict);
    }
    let created = diesel::insert_into(compat_accounts::table)
        .values((
            compat_accounts::system.eq(new.system.as_str()),
            compat_accounts::public_id.eq(&new.id),
            compat_accounts::username.eq(&new.username),
            compat_accounts::search_name.eq(new.username.to_lowercase()),
            compat_accounts::email.eq(&new.email),
            compat_accounts::hashed_password.eq(&new.hashed_password),
            compat_accounts::created_at.eq(Moment(now())),
        ))
        .on_conflict_do_nothing()
        .returning(ACCOUNT_COLUMNS)
        .get_result::<Account>(connection)
        .await
        .optional()?;
    match created {
        Some(account) => Ok(Registered::Created(account)),
        None => find_conflict(connection, new.system, &new.email, &new.username)
            .await?
            .ok_or_else(|| DatabaseError::internal("an account of the same id exists")),
    }
}

/// The address is judged first, as clients expect.
pub(crate) async fn find_conflict(
    connection: &mut Connection,
    system: System,
    email: &str,
    username: &str,
) -> Result<Option<Registered>, DatabaseError> {
    let rows = compat_accounts::table
        .filter(compat_accounts::system.eq(system.as_str()))
        .filter(
            compat_accounts::email
                .eq(email)
                .or(compat_accounts::username.eq(username)),
        )
        .select(compat_accounts::email)
        .load::<String>(connection)
        .await?;
    if rows.iter().any(|taken| taken == email) {
        return Ok(Some(Registered::EmailTaken));
    }
    Ok((!rows.is_empty()).then_some(Registered::UsernameTaken))
}

pub(crate) async fn find(
    connection: &mut Connection,
    system: System,
    id: &str,
) -> Result<Option<Account>, DatabaseError> {
    let account = compat_accounts::table
        .filter(compat_accounts::system.eq(system.as_str()))
        .filter(compat_accounts::public_id.eq(id))
        .select(ACCOUNT_COLUMNS)
        .get_result::<Account>(connection)
        .await
        .optional()?;
    Ok(account)
}

/// By e-mail address, in lower case.
pub(crate) async fn find_credentials_by_email(
    connection: &mut Connection,
    system: System,
    email: &str,
) -> Result<Option<AccountCredentials>, DatabaseError> {
    let row = compat_accounts::table
        .filter(compat_accounts::system.eq(system.as_str()))
        .filter(compat_accounts::email.eq(email))
        .select((ACCOUNT_COLUMNS, compat_accounts::hashed_password))
        .get_result::<(Account, String)>(connection)
        .await
        .optional()?;
    Ok(row.map(credentials))
}

pub(crate) async fn find_credentials_by_username(
    connection: &mut Connection,
    system: System,
    username: &str,
) -> Result<Option<AccountCredentials>, DatabaseError> {
    let row = compat_accounts::table
        .filter(compat_accounts::system.eq(system.as_str()))
        .filter(compat_accounts::username.eq(username))
        .select((ACCOUNT_COLUMNS, compat_accounts::hashed_password))
        .get_result::<(Account, String)>(connection)
        .await
        .optional()?;
    Ok(row.map(credentials))
}

fn credentials((account, hashed_password): (Account, String)) -> AccountCredentials {
    AccountCredentials {
        account,
        hashed_password,
    }
}

/// Whose name contains the text, whatever its case, by name.
pub(crate) async fn search(
    connection: &mut Connection,
    system: System,
    text: &str,
    except: &str,
    limit: i64,
) -> Result<Vec<Person>, DatabaseError> {
    let rows = paged(
        compat_accounts::table
            .filter(compat_accounts::system.eq(system.as_str()))
            .filter(
                compat_accounts::search_name
                    .like(containing(&text.to_lowercase()))
                    .escape('\\'),
            )
            .filter(compat_accounts::public_id.ne(except))
            .order((compat_accounts::search_name, compat_accounts::id))
            .select((compat_accounts::public_id, compat_accounts::username)),
        Page { skip: 0, limit },
    )
    .load::<(String, String)>(connection)
    .await?;
    Ok(rows.into_iter().map(person).collect())
}

/// A pattern in which every character of the text stands for itself.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// Those of the public ids that exist, with their keys.
pub(crate) async fn find_people(
    connection: &mut Connection,
    system: System,
    ids: Vec<String>,
) -> Result<HashMap<String, (i64, String)>, DatabaseError> {
    let rows = compat_accounts::table
        .filter(compat_accounts::system.eq(system.as_str()))
        .filter(among(compat_accounts::public_id, ids))
        .select((
            compat_accounts::public_id,
            compat_accounts::id,
            compat_accounts::username,
        ))
        .load::<(String, i64, String)>(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, key, username)| (id, (key, username)))
        .collect())
}

pub(super) fn person((id, username): (String, String)) -> Person {
    Person { id, username }
}
