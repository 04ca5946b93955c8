//! Refusals: `{"message", "error"}` with the same text, and for fields `errors`.

use chat_database::DatabaseError;
use serde::Serialize;
use serde_json::Value;

use crate::shared::{BodyError, CompatError, Response};

pub(super) enum SignallingError {
    Refused(u16, &'static str),
    /// At least one.
    Invalid(Vec<FieldError>),
    Failed(CompatError),
}

#[derive(Serialize)]
struct ErrorAnswer<'a> {
    message: &'a str,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a [FieldError]>,
}

/// What is wrong with a field, in the form of the validator those clients know.
#[derive(Serialize)]
pub(super) struct FieldError {
    #[serde(rename = "type")]
    kind: &'static str,
    value: Value,
    msg: &'static str,
    path: &'static str,
    param: &'static str,
    location: &'static str,
}

impl FieldError {
    pub(super) fn new(field: &'static str, value: Option<&Value>, msg: &'static str) -> Self {
        // A password is sent back to nobody.
        let value = value.filter(|_| field != "password");
        Self {
            kind: "field",
            value: value.cloned().unwrap_or(Value::Null),
            msg,
            path: field,
            param: field,
            location: "body",
        }
    }
}

impl SignallingError {
    pub(super) fn refused(status: u16, message: &'static str) -> Self {
        Self::Refused(status, message)
    }

    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Refused(status, message) => refuse(status, message),
            Self::Invalid(errors) => {
                let first = errors.first().map_or("Invalid request", |error| error.msg);
                let answer = ErrorAnswer {
                    message: first,
                    error: first,
                    errors: Some(&errors),
                };
                Response::json(400, &answer)
            }
            Self::Failed(error) => failure(error.log("webrtc")),
        }
    }
}

pub(super) fn refuse(status: u16, message: &str) -> Response {
    let answer = ErrorAnswer {
        message,
        error: message,
        errors: None,
    };
    Response::json(status, &answer)
}

/// The answer when something outside the request is wrong.
pub(crate) fn failure(is_temporary: bool) -> Response {
    if is_temporary {
        refuse(503, "Service temporarily unavailable").with_header("retry-after", "1")
    } else {
        refuse(500, "Internal server error")
    }
}

impl From<CompatError> for SignallingError {
    fn from(error: CompatError) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for SignallingError {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BodyError> for SignallingError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::refused(413, "Request body too large"),
            BodyError::NotJson => Self::refused(400, "Invalid JSON"),
        }
    }
}
