//! Refusals: always `{"message": string}`, which clients show.

use std::borrow::Cow;

use chat_database::DatabaseError;
use serde_json::json;

use crate::shared::{BodyError, CompatError, Response};

pub(super) enum RestError {
    Refused(u16, Cow<'static, str>),
    Failed(CompatError),
}

impl RestError {
    pub(super) fn refused(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(status, message.into())
    }

    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Refused(status, message) => refuse(status, &message),
            Self::Failed(error) => failure(error.log("ws-hub")),
        }
    }
}

pub(super) fn refuse(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"message": message}))
}

/// The answer when something outside the request is wrong.
pub(crate) fn failure(is_temporary: bool) -> Response {
    if is_temporary {
        refuse(503, "Service temporarily unavailable").with_header("retry-after", "1")
    } else {
        refuse(500, "Internal server error")
    }
}

impl From<CompatError> for RestError {
    fn from(error: CompatError) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for RestError {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BodyError> for RestError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::refused(413, "Request body too large"),
            BodyError::NotJson => Self::refused(400, "Invalid JSON"),
        }
    }
}
