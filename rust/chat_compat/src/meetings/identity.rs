//! Who somebody is: by a token of the outside user back end, or of IzpoChat.

use chat_auth::ExternalClaims;

use super::Meetings;
use super::error::MeetingError;
use crate::shared::{CompatError, Request};

/// Whoever a valid token names; the id is opaque text.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(super) user_id: String,
    /// Where it says so.
    pub(super) name: Option<String>,
}

/// What a token proves.
pub(super) enum Proof {
    Identity(Identity),
    /// It is valid, and for nobody.
    Nobody,
    Nothing,
}

impl Meetings {
    /// Reads the second part of the header, whatever the scheme.
    pub(super) async fn caller(&self, request: &Request) -> Result<Identity, MeetingError> {
        let header = request.head().authorization.as_deref().unwrap_or_default();
        let token = header
            .split(' ')
            .nth(1)
            .filter(|token| !token.is_empty())
            .ok_or(MeetingError::refused(401, "Token de acceso requerido"))?;
        match self.identify(token).await? {
            Proof::Identity(identity) => Ok(identity),
            Proof::Nobody => Err(MeetingError::refused(401, "Usuario no autenticado")),
            Proof::Nothing => Err(MeetingError::refused(403, "Token inválido")),
        }
    }

    pub(super) async fn identify(&self, token: &str) -> Result<Proof, CompatError> {
        let external = self.tokens.verify(token).ok();
        let is_valid = external.is_some();
        if let Some(ExternalClaims {
            user_id: Some(user_id),
            name,
        }) = external
        {
            return Ok(Proof::Identity(Identity { user_id, name }));
        }
        Ok(match self.primary.find_bearer(token).await? {
            Some(user) => Proof::Identity(Identity {
                user_id: user.id.to_string(),
                name: Some(user.username),
            }),
            None if is_valid => Proof::Nobody,
            None => Proof::Nothing,
        })
    }
}
