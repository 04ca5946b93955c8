//! Answers to HTTP requests, the errors of the engine among them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    pub content_type: Cow<'static, str>,
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// Packets for a client that polls.
    pub(crate) fn packets(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            content_type: "text/plain; charset=UTF-8".into(),
            body,
        }
    }

    /// The answer to a POST. The type is the reference's: some user agents offer
    /// plain text for download.
    pub(crate) fn accepted() -> Self {
        Self {
            status: 200,
            content_type: "text/html".into(),
            body: b"ok".to_vec(),
        }
    }
}

/// Why the engine refuses a request; clients know the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum EngineError {
    #[error("Transport unknown")]
    UnknownTransport,
    #[error("Session ID unknown")]
    UnknownSession,
    #[error("Bad handshake method")]
    BadHandshakeMethod,
    #[error("Bad request")]
    BadRequest,
    #[error("Unsupported protocol version")]
    UnsupportedProtocolVersion,
    /// The process that has the sessions cannot be reached; with the reference's code
    /// for what a server refuses for reasons of its own.
    #[error("Service temporarily unavailable")]
    Unavailable,
}

impl EngineError {
    fn code(self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSession => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Unavailable => 4,
            Self::UnsupportedProtocolVersion => 5,
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::Unavailable => 503,
            _ => 400,
        }
    }

    fn body(self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body {
            code: u8,
            message: String,
        }
        let body = Body {
            code: self.code(),
            message: self.to_string(),
        };
        // A number and a text: there is nothing that can fail.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The answer on a socket that asked for an upgrade.
    pub fn to_refusal(self) -> Vec<u8> {
        let status = match self {
            Self::Unavailable => "503 Service Unavailable",
            _ => "400 Bad Request",
        };
        let body = self.body();
        let mut answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(&body);
        answer
    }
}

impl From<EngineError> for HttpAnswer {
    fn from(error: EngineError) -> Self {
        Self {
            status: error.status(),
            content_type: "application/json".into(),
            body: error.body(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_the_reference_and_one_more() {
        let answer = HttpAnswer::from(EngineError::UnsupportedProtocolVersion);
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.body,
            br#"{"code":5,"message":"Unsupported protocol version"}"#
        );
        assert_eq!(HttpAnswer::from(EngineError::Unavailable).status, 503);
        let refusal = EngineError::Unavailable.to_refusal();
        assert!(refusal.starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
    }
}
