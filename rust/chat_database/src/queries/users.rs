//! Users: look-ups, the register, changes.

use std::collections::HashMap;
use std::sync::Arc;

use chat_protocol::ids::UserId;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension,
    QueryDsl,
};

use super::{Connection, RunQueryDsl};
use crate::backend::{among, paged};
use crate::error::DatabaseError;
use crate::models::{Credentials, NewUser, Page, USER_COLUMNS, User, UserChanges};
use crate::schema::users;
use crate::timestamp::now;

pub(crate) async fn find(
    connection: &mut Connection,
    id: UserId,
) -> Result<Option<User>, DatabaseError> {
    let user = users::table
        .find(id.0)
        .select(USER_COLUMNS)
        .get_result::<User>(connection)
        .await
        .optional()?;
    Ok(user)
}

pub(crate) async fn find_by_username(
    connection: &mut Connection,
    username: &str,
) -> Result<Option<User>, DatabaseError> {
    let user = users::table
        .filter(users::username.eq(username))
        .select(USER_COLUMNS)
        .get_result::<User>(connection)
        .await
        .optional()?;
    Ok(user)
}

pub(crate) async fn find_credentials(
    connection: &mut Connection,
    username: &str,
) -> Result<Option<Credentials>, DatabaseError> {
    let row = users::table
        .filter(users::username.eq(username))
        .select((USER_COLUMNS, users::hashed_password))
        .get_result::<(User, String)>(connection)
        .await
        .optional()?;
    Ok(row.map(|(user, hashed_password)| Credentials {
        user,
        hashed_password,
    }))
}

pub(crate) async fn list(
    connection: &mut Connection,
    page: Page,
) -> Result<Vec<User>, DatabaseError> {
    let users = paged(users::table.order(users::id).select(USER_COLUMNS), page)
        .load::<User>(connection)
        .await?;
    Ok(users)
}

/// The users with these ids, to be shared by the rows that name them.
pub(crate) async fn by_ids(
    connection: &mut Connection,
    ids: Vec<i32>,
) -> Result<HashMap<UserId, Arc<User>>, DatabaseError> {
    let users = users::table
        .filter(among(users::id, ids))
        .select(USER_COLUMNS)
        .load::<User>(connection)
        .await?;
    Ok(users
        .into_iter()
        .map(|user| (user.id, Arc::new(user)))
        .collect())
}

/// Fails if somebody other than `except` has the e-mail address or the name.
/// The address is judged first, as clients expect.
pub(crate) async fn find_conflict(
    connection: &mut Connection,
    email: Option<&str>,
    username: Option<&str>,
    except: Option<UserId>,
) -> Result<(), DatabaseError> {
    // A missing value is compared as NULL, which equals nothing; so is the id
    // zero, which nobody has.
    let rows = users::table
        .filter(
            users::email
                .nullable()
                .eq(email)
                .or(users::username.nullable().eq(username)),
        )
        .filter(users::id.ne(except.map_or(0, |id| id.0)))
        .select((users::email, users::username))
        .load::<(String, String)>(connection)
        .await?;
    if rows.iter().any(|(taken, _)| Some(taken.as_str()) == email) {
        return Err(DatabaseError::EmailTaken);
    }
    if rows
        .iter()
        .any(|(_, taken)| Some(taken.as_str()) == username)
    {
        return Err(DatabaseError::UsernameTaken);
    }
    Ok(())
}

/// Of two equal registrations at once the unique indexes let one through.
pub(crate) async fn create(
    connection: &mut Connection,
    user: &NewUser,
) -> Result<User, DatabaseError> {
    let user = diesel::insert_into(users::table)
        .values((
            users::username.eq(&user.username),
            users::email.eq(&user.email),
            users::full_name.eq(&user.full_name),
            users::hashed_password.eq(&user.hashed_password),
            users::is_active.eq(true),
            users::created_at.eq(Some(now())),
        ))
        .returning(USER_COLUMNS)
        .get_result::<User>(connection)
        .await?;
    Ok(user)
}

/// Writes only the columns that change, so that two updates of different
/// columns at once both last.
pub(crate) async fn update(
    connection: &mut Connection,
    id: UserId,
    changes: UserChanges,
) -> Result<User, DatabaseError> {
    let user = find(connection, id)
        .await?
        .ok_or(DatabaseError::UserNotFound)?;
    let Some(changes) = changes.differing_from(&user) else {
        return Ok(user);
    };
    diesel::update(users::table.find(id.0))
        .set((
            changes.username.map(|new| users::username.eq(new)),
            changes.email.map(|new| users::email.eq(new)),
            changes.full_name.map(|new| users::full_name.eq(new)),
            changes.is_active.map(|new| users::is_active.eq(new)),
            users::updated_at.eq(Some(now())),
        ))
        .returning(USER_COLUMNS)
        .get_result::<User>(connection)
        .await
        .optional()?
        .ok_or(DatabaseError::UserNotFound)
}
