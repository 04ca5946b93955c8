//! Access tokens for the media server (contract section 4), which verifies them
//! offline. One room per token, and no grant beyond taking part in it.

use std::fmt;

use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::config::LiveKitConfig;
use crate::shared::CompatError;

pub(super) struct LiveKit {
    config: LiveKitConfig,
    key: EncodingKey,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    nbf: u64,
    exp: u64,
    name: &'a str,
    video: VideoGrant<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VideoGrant<'a> {
    room: &'a str,
    room_join: bool,
    can_publish: bool,
    can_subscribe: bool,
}

impl LiveKit {
    pub(super) fn new(config: LiveKitConfig) -> Self {
        let key = EncodingKey::from_secret(config.api_secret.expose_secret().as_bytes());
        Self { config, key }
    }

    /// Where clients find the media server.
    pub(super) fn url(&self) -> &str {
        &self.config.url
    }

    /// A token with which `identity`, shown as `name`, joins `room`.
    ///
    /// # Errors
    /// `Internal` if signing fails, which no input can bring about.
    pub(super) fn token(
        &self,
        room: &str,
        identity: &str,
        name: &str,
    ) -> Result<String, CompatError> {
        let now = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
        let claims = Claims {
            iss: &self.config.api_key,
            sub: identity,
            nbf: now,
            exp: now.saturating_add(self.config.token_lifetime.as_secs()),
            name,
            video: VideoGrant {
                room,
                room_join: true,
                can_publish: true,
                can_subscribe: true,
            },
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)
            .map_err(|_| CompatError::Internal("a media token could not be signed".to_owned()))
    }
}

impl fmt::Debug for LiveKit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LiveKit")
            .field("url", &self.config.url)
            .finish_non_exhaustive()
    }
}
