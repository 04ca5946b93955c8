//! Tokens of the sibling systems: HS256, each for one system only.
//!
//! Deployments tend to use one secret for everything, so the secret does not say
//! for whom a token is. Those issued here carry a `realm` and are accepted with
//! exactly that one; tokens of the outside user back end must not carry any.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::token::TokenError;

/// How long an issued token is valid.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Issues and verifies the tokens of one sibling system.
pub struct RealmTokens {
    realm: &'static str,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// Whom a token of a sibling system names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmClaims {
    pub user_id: String,
    pub username: String,
}

/// `id` repeats `userId`: clients read one or the other.
#[derive(Serialize)]
struct IssuedClaims<'a> {
    #[serde(rename = "userId")]
    user_id: &'a str,
    id: &'a str,
    username: &'a str,
    realm: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct ReceivedClaims {
    #[serde(rename = "userId")]
    user_id: String,
    username: String,
    realm: String,
}

impl RealmTokens {
    /// Takes the UTF-8 bytes of `secret` as the key.
    pub fn new(secret: &SecretString, realm: &'static str) -> Self {
        let secret = secret.expose_secret().as_bytes();
        let mut validation = validation();
        validation.set_required_spec_claims(&["exp"]);
        Self {
            realm,
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
        }
    }

    /// A token for this user, valid for seven days from `now` (seconds since the epoch).
    ///
    /// # Errors
    /// `TokenError` if signing fails, which no input can bring about.
    pub fn issue(&self, user_id: &str, username: &str, now: u64) -> Result<String, TokenError> {
        let claims = IssuedClaims {
            user_id,
            id: user_id,
            username,
            realm: self.realm,
            iat: now,
            exp: now.saturating_add(LIFETIME.as_secs()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|_| TokenError)
    }

    /// The claims of a valid token of this very system.
    ///
    /// # Errors
    /// `TokenError` in every other case.
    pub fn verify(&self, token: &str) -> Result<RealmClaims, TokenError> {
        let claims =
            jsonwebtoken::decode::<ReceivedClaims>(token, &self.decoding, &self.validation)
                .map_err(|_| TokenError)?
                .claims;
        if claims.realm != self.realm {
            return Err(TokenError);
        }
        Ok(RealmClaims {
            user_id: claims.user_id,
            username: claims.username,
        })
    }
}

/// Verifies the tokens of a user back end outside, which shares its secret with us.
pub struct ExternalTokens {
    decoding: DecodingKey,
    validation: Validation,
}

/// What a valid token of the outside user back end says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalClaims {
    /// None in tokens for other purposes, such as a new password.
    pub user_id: Option<String>,
    /// Its `name`, else its `username`.
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct ForeignClaims {
    #[serde(rename = "userId")]
    user_id: Option<Value>,
    name: Option<Value>,
    username: Option<Value>,
    #[serde(default, deserialize_with = "crate::token::present")]
    realm: bool,
}

impl ExternalTokens {
    /// Takes the UTF-8 bytes of `secret` as the key.
    pub fn new(secret: &SecretString) -> Self {
        let mut validation = validation();
        // The claims are theirs: an expiry counts if there is one, an audience is not ours to judge.
        validation.set_required_spec_claims::<&str>(&[]);
        validation.validate_aud = false;
        Self {
            decoding: DecodingKey::from_secret(secret.expose_secret().as_bytes()),
            validation,
        }
    }

    /// The claims of a token that is signed with the shared secret and not expired.
    ///
    /// # Errors
    /// `TokenError` in every other case, and for a token of a sibling system.
    pub fn verify(&self, token: &str) -> Result<ExternalClaims, TokenError> {
        let claims = jsonwebtoken::decode::<ForeignClaims>(token, &self.decoding, &self.validation)
            .map_err(|_| TokenError)?
            .claims;
        if claims.realm {
            return Err(TokenError);
        }
        Ok(ExternalClaims {
            user_id: text(claims.user_id),
            name: text(claims.name).or_else(|| text(claims.username)),
        })
    }
}

/// A text that is not empty. PostgreSQL has none with U+0000, so nobody has it as an id.
fn text(value: Option<Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) if !text.is_empty() && !text.contains('\0') => Some(text),
        _ => None,
    }
}

/// The list of algorithms is pinned here and never read from a token.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation
}

impl fmt::Debug for RealmTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RealmTokens")
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ExternalTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ExternalTokens")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "a secret of at least thirty-two bytes";

    fn now() -> u64 {
        jsonwebtoken::get_current_timestamp()
    }

    fn signed(claims: &Value, algorithm: Algorithm) -> String {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("a token")
    }

    #[test]
    fn a_token_is_good_for_its_own_system_only() {
        let hub = RealmTokens::new(&SECRET.into(), "ws-hub");
        let webrtc = RealmTokens::new(&SECRET.into(), "webrtc");
        let outside = ExternalTokens::new(&SECRET.into());
        let token = hub.issue("6e41", "ana", now()).expect("a token");
        assert_eq!(
            hub.verify(&token),
            Ok(RealmClaims {
                user_id: "6e41".into(),
                username: "ana".into()
            })
        );
        assert_eq!(webrtc.verify(&token), Err(TokenError));
        assert_eq!(outside.verify(&token), Err(TokenError));
        let old = hub
            .issue("6e41", "ana", now() - LIFETIME.as_secs() - 1)
            .expect("a token");
        assert_eq!(hub.verify(&old), Err(TokenError));
    }

    #[test]
    fn tokens_without_our_realm_or_expiry_are_refused() {
        let hub = RealmTokens::new(&SECRET.into(), "ws-hub");
        let good = json!({"userId": "1", "username": "ana", "realm": "ws-hub", "exp": now() + 60});
        assert!(hub.verify(&signed(&good, Algorithm::HS256)).is_ok());
        assert_eq!(
            hub.verify(&signed(&good, Algorithm::HS512)),
            Err(TokenError)
        );
        for key in ["userId", "username", "realm", "exp"] {
            let mut claims = good.clone();
            claims.as_object_mut().expect("an object").remove(key);
            assert_eq!(
                hub.verify(&signed(&claims, Algorithm::HS256)),
                Err(TokenError),
                "{key}"
            );
        }
    }

    #[test]
    fn tokens_of_the_outside_name_somebody_or_nobody() {
        let outside = ExternalTokens::new(&SECRET.into());
        let verify = |claims: Value| outside.verify(&signed(&claims, Algorithm::HS256));
        let claims = verify(json!({"userId": "u1", "username": "ana", "aud": "x"}));
        assert_eq!(
            claims,
            Ok(ExternalClaims {
                user_id: Some("u1".into()),
                name: Some("ana".into())
            })
        );
        for nobody in [
            json!(""),
            json!(5),
            json!(null),
            json!("a\0b"),
            json!(["u1"]),
        ] {
            let claims = verify(json!({"userId": nobody, "email": "a@b.c"}));
            assert_eq!(claims.map(|claims| claims.user_id), Ok(None), "{nobody}");
        }
        assert_eq!(
            verify(json!({"userId": "u1", "exp": now() - 2})),
            Err(TokenError)
        );
        assert_eq!(
            verify(json!({"userId": "u1", "realm": null})),
            Err(TokenError)
        );
    }
}
