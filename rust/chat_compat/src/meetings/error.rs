//! Refusals: always `{"error": string}`.

use chat_database::DatabaseError;
use serde_json::json;

use crate::shared::{CompatError, Response};

pub(super) enum MeetingError {
    Refused(u16, &'static str),
    Failed(CompatError),
}

impl MeetingError {
    pub(super) fn refused(status: u16, message: &'static str) -> Self {
        Self::Refused(status, message)
    }

    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Refused(status, message) => refuse(status, message),
            Self::Failed(error) => failure(error.log("meetings")),
        }
    }
}

pub(super) fn refuse(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"error": message}))
}

/// The answer when something outside the request is wrong.
pub(crate) fn failure(is_temporary: bool) -> Response {
    if is_temporary {
        refuse(503, "Servicio no disponible temporalmente").with_header("retry-after", "1")
    } else {
        refuse(500, "Error interno del servidor")
    }
}

impl From<CompatError> for MeetingError {
    fn from(error: CompatError) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for MeetingError {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}
