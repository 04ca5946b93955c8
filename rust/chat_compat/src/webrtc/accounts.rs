//! Sign-up and log-in.

use chat_database::compat::{Account, Registered};
use serde::Serialize;

use super::Webrtc;
use super::answers::UserAnswer;
use super::error::{FieldError, SignallingError};
use crate::shared::{Fields, NewLogin, Request, Response, is_email};

#[derive(Serialize)]
struct SignedInAnswer<'a> {
    message: &'a str,
    token: &'a str,
    user: UserAnswer<'a>,
}

impl Webrtc {
    pub(super) async fn sign_up(&self, request: &Request) -> Result<Response, SignallingError> {
        let new = check_sign_up(&request.fields()?)?;
        match self.accounts.register(new).await? {
            Registered::Created(account) => {
                self.signed_in(201, "User created successfully", &account)
            }
            Registered::EmailTaken | Registered::UsernameTaken => {
                Err(SignallingError::refused(400, "User already exists"))
            }
        }
    }

    pub(super) async fn log_in(&self, request: &Request) -> Result<Response, SignallingError> {
        let fields = request.fields()?;
        let given = |name| fields.text(name).filter(|value| !value.trim().is_empty());
        let (email, username) = (given("email"), given("username"));
        let password = fields.text("password").filter(|value| !value.is_empty());
        let mut errors = Vec::new();
        if email.is_none() && username.is_none() {
            let value = fields.get("email");
            errors.push(FieldError::new("email", value, "Email is required"));
        }
        if password.is_none() {
            errors.push(FieldError::new("password", None, "Password is required"));
        }
        let password = password.unwrap_or_default().to_owned();
        let account = match (email, username) {
            _ if !errors.is_empty() => return Err(SignallingError::Invalid(errors)),
            (Some(email), _) => self.accounts.log_in_by_email(email, password).await?,
            (None, username) => {
                let username = username.unwrap_or_default();
                self.accounts.log_in_by_username(username, password).await?
            }
        };
        let account = account.ok_or(SignallingError::refused(401, "Invalid credentials"))?;
        self.signed_in(200, "Login successful", &account)
    }

    fn signed_in(
        &self,
        status: u16,
        message: &str,
        account: &Account,
    ) -> Result<Response, SignallingError> {
        let answer = SignedInAnswer {
            message,
            token: &self.accounts.issue_token(account)?,
            user: account.into(),
        };
        Ok(Response::json(status, &answer))
    }
}

/// All failures together, in the order of the fields.
fn check_sign_up(fields: &Fields) -> Result<NewLogin, SignallingError> {
    let mut errors = Vec::new();
    let mut check = |name, is_good: &dyn Fn(&str) -> bool, message| {
        let text = fields.text(name);
        if !text.is_some_and(is_good) {
            errors.push(FieldError::new(name, fields.get(name), message));
        }
        text.unwrap_or_default()
    };
    let username = check(
        "username",
        &|text| (3..=30).contains(&text.trim().chars().count()),
        "Username must be between 3 and 30 characters",
    );
    let email = check(
        "email",
        &|text| is_email(text.trim()),
        "Valid email is required",
    );
    let password = check(
        "password",
        &|text| text.chars().count() >= 6,
        "Password must be at least 6 characters",
    );
    if !errors.is_empty() {
        return Err(SignallingError::Invalid(errors));
    }
    Ok(NewLogin {
        username: username.trim().to_owned(),
        email: email.trim().to_owned(),
        password: password.to_owned(),
    })
}
