//! Access tokens: JWT with one pinned algorithm (contract section 3.4).
//!
//! Tokens of the original, `sub` and `exp` only, stay valid. Ours add `uid`, the
//! user's id, because usernames can change hands.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// The signature algorithms a shared secret can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAlgorithm {
    Hs256,
    Hs384,
    Hs512,
}

impl TokenAlgorithm {
    /// The algorithm of that registered name (RFC 7518, section 3.1).
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "HS384" => Some(Self::Hs384),
            "HS512" => Some(Self::Hs512),
            _ => None,
        }
    }

    fn into_algorithm(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Hs384 => Algorithm::HS384,
            Self::Hs512 => Algorithm::HS512,
        }
    }
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The username at the time of issue.
    pub subject: String,
    /// The user's id; none in tokens of the original.
    pub user_id: Option<i32>,
    /// Seconds since the epoch.
    pub expires_at: u64,
}

/// A token that proves nothing. Why is not told: it would only help a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct TokenError;

/// Issues and verifies tokens with one key.
pub struct TokenAuthority {
    header: Header,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    lifetime: Duration,
}

#[derive(Serialize)]
struct IssuedClaims<'a> {
    sub: &'a str,
    exp: u64,
    uid: i32,
}

#[derive(Deserialize)]
struct ReceivedClaims {
    sub: String,
    /// RFC 7519 allows fractions.
    exp: f64,
    uid: Option<i32>,
    /// Present in tokens issued for sibling systems, whatever its value.
    #[serde(default, deserialize_with = "present")]
    realm: bool,
}

/// Whether a claim is there, with whatever value.
pub(crate) fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl TokenAuthority {
    /// Takes the UTF-8 bytes of `secret` as the key.
    pub fn new(secret: &SecretString, algorithm: TokenAlgorithm, lifetime: Duration) -> Self {
        let secret = secret.expose_secret().as_bytes();
        // The list of algorithms is pinned here and never read from a token. A
        // token with `aud` is refused because none is expected.
        let mut validation = Validation::new(algorithm.into_algorithm());
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            header: Header::new(algorithm.into_algorithm()),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            lifetime,
        }
    }

    /// A token for this user, valid for the lifetime from `now` (seconds since the epoch).
    ///
    /// # Errors
    /// `TokenError` if signing fails, which no input can bring about.
    pub fn issue(&self, username: &str, user_id: i32, now: u64) -> Result<String, TokenError> {
        let claims = IssuedClaims {
            sub: username,
            exp: now.saturating_add(self.lifetime.as_secs()),
            uid: user_id,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.encoding).map_err(|_| TokenError)
    }

    /// The claims of a token that is signed with our key and algorithm, not expired and not for somebody else.
    ///
    /// # Errors
    /// `TokenError` in every other case.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let claims =
            jsonwebtoken::decode::<ReceivedClaims>(token, &self.decoding, &self.validation)
                .map_err(|_| TokenError)?
                .claims;
        if claims.realm {
            return Err(TokenError);
        }
        Ok(Claims {
            subject: claims.sub,
            user_id: claims.uid,
            expires_at: claims.exp as u64,
        })
    }
}

impl fmt::Debug for TokenAuthority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenAuthority")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a secret of at least thirty-two bytes";

    fn authority() -> TokenAuthority {
        TokenAuthority::new(
            &SECRET.into(),
            TokenAlgorithm::Hs256,
            Duration::from_secs(60),
        )
    }

    fn now() -> u64 {
        jsonwebtoken::get_current_timestamp()
    }

    fn signed(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
        jsonwebtoken::encode(
            &Header::new(algorithm),
            claims,
            &EncodingKey::from_secret(secret.as_bytes()),
        )
        .expect("a token")
    }

    #[test]
    fn issued_tokens_verify() {
        let now = now();
        let token = authority().issue("ana", 44, now).expect("a token");
        assert_eq!(
            authority().verify(&token),
            Ok(Claims {
                subject: "ana".into(),
                user_id: Some(44),
                expires_at: now + 60,
            })
        );
    }

    #[test]
    fn the_table_of_the_contract_holds() {
        let accepted = [
            json!({"sub": "ana", "exp": now() + 60}),
            json!({"sub": "ana", "exp": now() + 60, "iat": now() + 1000, "role": "x"}),
            json!({"sub": "ana", "exp": now() as f64 + 60.5}),
        ];
        for claims in accepted {
            assert!(
                authority()
                    .verify(&signed(&claims, Algorithm::HS256, SECRET))
                    .is_ok(),
                "{claims}"
            );
        }
        let refused = [
            json!({"sub": "ana", "exp": now() - 2}),
            json!({"sub": "ana", "exp": null}),
            json!({"sub": "ana"}),
            json!({"exp": now() + 60}),
            json!({"sub": 5, "exp": now() + 60}),
            json!({"sub": "ana", "exp": now() + 60, "nbf": now() + 60}),
            json!({"sub": "ana", "exp": now() + 60, "aud": "x"}),
            json!({"sub": "ana", "exp": now() + 60, "realm": "webrtc"}),
            json!({"sub": "ana", "exp": now() + 60, "realm": null}),
        ];
        for claims in refused {
            assert_eq!(
                authority().verify(&signed(&claims, Algorithm::HS256, SECRET)),
                Err(TokenError),
                "{claims}"
            );
        }
        let good = json!({"sub": "ana", "exp": now() + 60});
        assert_eq!(
            authority().verify(&signed(&good, Algorithm::HS256, "another key")),
            Err(TokenError)
        );
        assert_eq!(
            authority().verify(&signed(&good, Algorithm::HS512, SECRET)),
            Err(TokenError)
        );
        assert_eq!(authority().verify(""), Err(TokenError));
    }
}
