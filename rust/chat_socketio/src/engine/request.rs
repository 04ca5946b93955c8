//! What a request to the engine says, and whether it may be served.

use chat_gateway::last_query_value;
use engineioxide_core::{ProtocolVersion, TransportType};

use crate::engine::answer::EngineError;

/// The part of a request that the engine looks at.
#[derive(Clone, Debug, Default)]
pub struct EngineRequest {
    /// As the client sent it, without the question mark.
    pub query: String,
    pub authorization: Option<String>,
}

/// How a session began, for those who decide who its client is.
#[derive(Clone, Debug)]
pub struct Handshake {
    query: String,
    authorization: Option<String>,
}

impl Handshake {
    /// The last value of a query parameter.
    pub fn query(&self, name: &str) -> Option<String> {
        last_query_value(&self.query, name)
    }

    /// The `Authorization` header.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new session.
    Open,
    /// Something for the session of that id.
    Session(String),
}

impl EngineRequest {
    /// Decides in the order of the reference server. `transport` is what the request
    /// itself speaks.
    pub(crate) fn purpose(
        &self,
        transport: TransportType,
        is_get: bool,
    ) -> Result<Purpose, EngineError> {
        let value = |name| last_query_value(&self.query, name);
        let wanted: TransportType = value("transport")
            .and_then(|transport| transport.parse().ok())
            .ok_or(EngineError::UnknownTransport)?;
        let session = value("sid").filter(|sid| !sid.is_empty());
        if session.is_none() && !is_get {
            return Err(EngineError::BadHandshakeMethod);
        }
        if wanted != transport {
            return Err(EngineError::BadRequest);
        }
        let version = value("EIO").unwrap_or_default();
        if !matches!(version.parse(), Ok(ProtocolVersion::V4)) {
            return Err(match session {
                None => EngineError::UnsupportedProtocolVersion,
                Some(_) => EngineError::BadRequest,
            });
        }
        Ok(session.map_or(Purpose::Open, Purpose::Session))
    }

    pub(crate) fn into_handshake(self) -> Handshake {
        Handshake {
            query: self.query,
            authorization: self.authorization,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose(query: &str, is_get: bool) -> Result<Purpose, EngineError> {
        let request = EngineRequest {
            query: query.into(),
            authorization: None,
        };
        request.purpose(TransportType::Polling, is_get)
    }

    #[test]
    fn requests_are_judged_as_by_the_reference() {
        assert_eq!(purpose("EIO=4&transport=polling", true), Ok(Purpose::Open));
        assert_eq!(
            purpose("EIO=4&transport=polling&sid=a", false),
            Ok(Purpose::Session("a".into()))
        );
        for (query, is_get, error) in [
            ("EIO=4", true, EngineError::UnknownTransport),
            ("EIO=4&transport=abc", true, EngineError::UnknownTransport),
            (
                "EIO=4&transport=polling",
                false,
                EngineError::BadHandshakeMethod,
            ),
            ("EIO=4&transport=websocket", true, EngineError::BadRequest),
            (
                "EIO=3&transport=polling",
                true,
                EngineError::UnsupportedProtocolVersion,
            ),
            (
                "transport=polling",
                true,
                EngineError::UnsupportedProtocolVersion,
            ),
        ] {
            assert_eq!(purpose(query, is_get), Err(error), "{query}");
        }
    }
}
