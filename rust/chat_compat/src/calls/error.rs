//! Refusals: `{"statusCode", "message", "error"}`; for fields `message` is a list.

use chat_database::DatabaseError;
use serde::Serialize;

use crate::shared::{BodyError, CompatError, Fields, Response};

pub(super) enum CallError {
    Unauthorized,
    Refused(u16, &'static str, &'static str),
    /// At least one.
    Invalid(Vec<String>),
    Failed(CompatError),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorAnswer<'a, M> {
    status_code: u16,
    message: M,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl CallError {
    pub(super) fn not_found(message: &'static str) -> Self {
        Self::Refused(404, message, "Not Found")
    }

    pub(super) fn forbidden() -> Self {
        Self::Refused(403, "Forbidden resource", "Forbidden")
    }

    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Unauthorized => {
                let answer = ErrorAnswer {
                    status_code: 401,
                    message: "Unauthorized",
                    error: None,
                };
                Response::json(401, &answer)
            }
            Self::Refused(status, message, error) => refuse(status, message, error),
            Self::Invalid(messages) => {
                let answer = ErrorAnswer {
                    status_code: 400,
                    message: messages,
                    error: Some("Bad Request"),
                };
                Response::json(400, &answer)
            }
            Self::Failed(error) => failure(error.log("calls")),
        }
    }
}

pub(super) fn refuse(status: u16, message: &str, error: &str) -> Response {
    let answer = ErrorAnswer {
        status_code: status,
        message,
        error: Some(error),
    };
    Response::json(status, &answer)
}

/// The answer when something outside the request is wrong.
pub(crate) fn failure(is_temporary: bool) -> Response {
    if is_temporary {
        refuse(
            503,
            "Service temporarily unavailable",
            "Service Unavailable",
        )
        .with_header("retry-after", "1")
    } else {
        refuse(500, "Internal server error", "Internal Server Error")
    }
}

/// Reads fields that must be texts and collects what is wrong with them.
pub(super) struct Checker<'a> {
    fields: &'a Fields,
    failures: Vec<String>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(fields: &'a Fields) -> Self {
        Self {
            fields,
            failures: Vec::new(),
        }
    }

    /// A text that is not blank, trimmed; of at most so many characters.
    pub(super) fn text(&mut self, name: &str, max_characters: usize) -> &'a str {
        let Some(text) = self.fields.text(name) else {
            self.failures.push(format!("{name} must be a string"));
            return "";
        };
        let text = text.trim();
        if text.is_empty() {
            self.failures.push(format!("{name} should not be empty"));
        } else if text.chars().count() > max_characters {
            self.failures.push(format!(
                "{name} must be shorter than or equal to {max_characters} characters"
            ));
        }
        text
    }

    /// # Errors
    /// Everything that was found.
    pub(super) fn finish(self) -> Result<(), CallError> {
        if self.failures.is_empty() {
            Ok(())
        } else {
            Err(CallError::Invalid(self.failures))
        }
    }
}

impl From<CompatError> for CallError {
    fn from(error: CompatError) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for CallError {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BodyError> for CallError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => {
                Self::Refused(413, "Request body too large", "Payload Too Large")
            }
            BodyError::NotJson => Self::Refused(400, "Invalid JSON", "Bad Request"),
        }
    }
}
