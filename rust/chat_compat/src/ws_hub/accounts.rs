//! Registration, log-in and the search for people.

use chat_database::compat::{Account, Registered, System};
use serde::Serialize;

use super::answers::{PersonAnswer, UserAnswer};
use super::error::RestError;
use super::{Caller, WsHub};
use crate::shared::{Fields, NewLogin, Request, Response, is_email};

const MAX_FOUND: i64 = 20;

#[derive(Serialize)]
struct SignedInAnswer<'a> {
    user: UserAnswer<'a>,
    token: &'a str,
}

impl WsHub {
    pub(super) async fn register(&self, request: &Request) -> Result<Response, RestError> {
        let new = check_registration(&request.fields()?)?;
        match self.accounts.register(new).await? {
            Registered::Created(account) => self.signed_in(201, &account),
            Registered::EmailTaken => Err(RestError::refused(409, "Email already registered")),
            Registered::UsernameTaken => Err(RestError::refused(409, "Username already taken")),
        }
    }

    pub(super) async fn log_in(&self, request: &Request) -> Result<Response, RestError> {
        let fields = request.fields()?;
        let email = given(&fields, "email");
        let password = given(&fields, "password");
        let (Some(email), Some(password)) = (email, password) else {
            let missing = [("email", email), ("password", password)]
                .into_iter()
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| format!("{name} is required"));
            return Err(RestError::refused(
                400,
                missing.collect::<Vec<_>>().join(", "),
            ));
        };
        let account = self
            .accounts
            .log_in_by_email(email, password.to_owned())
            .await?
            .ok_or(RestError::refused(401, "Invalid credentials"))?;
        self.signed_in(200, &account)
    }

    fn signed_in(&self, status: u16, account: &Account) -> Result<Response, RestError> {
        let answer = SignedInAnswer {
            user: account.into(),
            token: &self.accounts.issue_token(account)?,
        };
        Ok(Response::json(status, &answer))
    }

    pub(super) async fn own_account(&self, caller: &Caller) -> Result<Response, RestError> {
        let account = self
            .store
            .find_account(System::WsHub, &caller.id)
            .await?
            .ok_or(RestError::refused(404, "User not found"))?;
        Ok(Response::json(200, &UserAnswer::from(&account)))
    }

    pub(super) async fn search_users(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Response, RestError> {
        let text = request.query("q").unwrap_or_default();
        let text = text.trim();
        let found = if text.is_empty() {
            Vec::new()
        } else {
            self.store
                .search_accounts(System::WsHub, text.to_owned(), &caller.id, MAX_FOUND)
                .await?
        };
        let answer: Vec<_> = found.iter().map(PersonAnswer::from).collect();
        Ok(Response::json(200, &answer))
    }
}

/// A text that is not empty; anything else counts as not given.
fn given<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.text(name).filter(|value| !value.is_empty())
}

/// All failures together, in the order of the fields.
fn check_registration(fields: &Fields) -> Result<NewLogin, RestError> {
    let mut failures = Vec::new();
    let mut check = |name: &str, failure: fn(&str) -> Option<&'static str>| {
        let value = given(fields, name);
        match value {
            None => failures.push(format!("{name} is required")),
            Some(value) => failures.extend(failure(value).map(str::to_owned)),
        }
        value.unwrap_or_default()
    };
    let username = check("username", |username| {
        if username.trim().chars().count() < 3 {
            Some("username must be at least 3 characters")
        } else if username.chars().count() > 30 {
            Some("username must be at most 30 characters")
        } else {
            None
        }
    });
    let email = check("email", |email| {
        (!is_email(email.trim())).then_some("email must be a valid email")
    });
    let password = check("password", |password| {
        (password.chars().count() < 6).then_some("password must be at least 6 characters")
    });
    if !failures.is_empty() {
        return Err(RestError::refused(400, failures.join(", ")));
    }
    Ok(NewLogin {
        username: username.trim().to_owned(),
        email: email.trim().to_owned(),
        password: password.to_owned(),
    })
}
