//! The payload of a close frame (RFC 6455, sections 5.5.1 and 7.4).

use crate::error::{DecodeError, Violation};

/// What the client's close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    pub code: u16,
    pub reason: String,
}

/// None for an empty payload: a close frame need not give a code.
pub(crate) fn parse(payload: &[u8]) -> Result<Option<CloseFrame>, DecodeError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(Violation::HalfCloseCode.into())
        };
    };
    let code = u16::from_be_bytes(*code);
    // 1004 to 1006 and 1015 never travel; 1016 to 2999 are kept for the future.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::InvalidCloseCode.into());
    }
    let reason = std::str::from_utf8(reason).map_err(|_| DecodeError::InvalidUtf8)?;
    Ok(Some(CloseFrame {
        code,
        reason: reason.to_owned(),
    }))
}
