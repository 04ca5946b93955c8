//! Parses what a client sends (contract sections 6.3 and 6.4, and the additions of
//! docs/PROTOCOL.md).
//!
//! Parsing is total: every text is either a frame or one of the `FrameError`
//! variants, whatever its depth, size or encoding tricks.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::events::{EventKind, EventKinds};
use crate::fields::{self, ChangePlace, Integer, Place, Truth};
use crate::ids::{Change, Seq};

/// The longest `content` in Unicode characters. The contract wants at least
/// 100 000; the bound keeps one message far below a reader's outbox.
pub const MAX_CONTENT_CHARACTERS: usize = 131_072;

/// An unknown name is echoed in the error up to this many characters.
const MAX_ECHOED_CHARACTERS: usize = 200;

/// The longest `client_id` in Unicode characters. Generous for any form of UUID.
pub(crate) const MAX_CLIENT_ID_CHARACTERS: usize = 128;

/// A frame from a client, valid in form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// `{"type":"message","content":s,"file_id":n?,"client_id":s?}`; a missing `type`
    /// means this.
    Message(MessageDraft),
    /// `{"type":"typing","typing":bool}`
    Typing(bool),
    /// `{"type":"ping"}`
    Ping,
    /// `{"type":"edit","id":n,"content":s,"client_id":s?}` or
    /// `{"type":"delete","id":n,"client_id":s?}`.
    Change(ChangeDraft),
    /// `{"type":"resume","since_seq":n,"since_change":n?}`.
    Resume(Position),
    /// `{"type":"read","seq":n}`: the client has read everything up to this place.
    Read(Seq),
    /// `{"type":"subscribe","events":[s,…]}`: what the client wants to get besides.
    Subscribe(EventKinds),
    /// `{"type":"auth","token":s}`: a newer token of the same user.
    Auth(BearerToken),
}

/// A message before it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageDraft {
    /// Trimmed at both ends; may be empty only with a file.
    pub content: String,
    /// The number the client sent; it may name no file.
    pub file_id: Option<i64>,
    /// What the client calls the message; sent again, it is the same message.
    pub client_id: Option<ClientId>,
}

/// A change of a message before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeDraft {
    /// The number the client sent; it may name no message.
    pub id: i64,
    /// What the message is to say, trimmed at both ends; none to delete it.
    pub content: Option<String>,
    /// What the client calls the change; sent again, it is the same one.
    pub client_id: Option<ClientId>,
}

/// What a client that comes back has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The place of the last message.
    pub seq: Seq,
    /// The place of the last change, if it wants to know of changes.
    pub change: Option<Change>,
}

/// The frames as they are on the wire, each type with its fields. From here comes what
/// docs/asyncapi.json says of them; what a field must hold besides is decided behind.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(tag = "type", rename = "ClientFrame")
)]
pub(crate) enum WireFrame {
    /// Sends a message, which needs a text that is not blank, or a file. A frame
    /// without `type` is this.
    Message {
        /// Blanks at both ends are dropped.
        #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Content>"))]
        content: Option<String>,
        /// One of the user's own files.
        file_id: Option<Integer>,
        client_id: Option<ClientId>,
    },
    /// Says that the user types, or does no longer.
    Typing {
        #[serde(default)]
        typing: Truth,
    },
    /// Asks for a `pong`.
    Ping,
    /// Asks for `resumed`, and what was missed.
    Resume {
        /// The last place that the client has seen.
        since_seq: Place,
        /// The last change that it has seen, if it wants to know of changes.
        since_change: Option<ChangePlace>,
    },
    /// Gives a message of the user's own another text.
    Edit {
        id: Integer,
        /// Blanks at both ends are dropped.
        #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Content"))]
        content: String,
        client_id: Option<ClientId>,
    },
    /// Deletes a message: the user's own, or any in a room of the user's.
    Delete {
        id: Integer,
        client_id: Option<ClientId>,
    },
    /// Moves the user's marker of what has been read.
    Read { seq: Place },
    /// Asks for events besides; answered with `subscribed`.
    Subscribe {
        #[cfg_attr(feature = "schema", schemars(with = "Vec<EventKind>"))]
        events: Vec<String>,
    },
    /// Shows a newer token of the same user; answered with `authenticated`.
    Auth { token: BearerToken },
}

/// A client's own name for a message: 1 to 128 characters, none a control character.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ClientId(String);

impl TryFrom<String> for ClientId {
    type Error = FrameError;

    fn try_from(text: String) -> Result<Self, FrameError> {
        Self::new(text).ok_or(FrameError::Malformed)
    }
}

impl ClientId {
    /// None if it is empty, too long, or has control characters.
    pub fn new(text: String) -> Option<Self> {
        let is_valid = !text.is_empty()
            && text.chars().count() <= MAX_CLIENT_ID_CHARACTERS
            && !text.chars().any(char::is_control);
        is_valid.then_some(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ClientId> for String {
    fn from(id: ClientId) -> Self {
        id.0
    }
}

/// A token as it came; it is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct BearerToken(String);

impl BearerToken {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BearerToken")
    }
}

/// Why a text is not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the frame is not of a known form")]
    Malformed,
    #[error("the message has neither text nor file")]
    EmptyMessage,
    #[error("the message is too long")]
    MessageTooLong,
    #[error("the frame type is unknown")]
    UnknownType(String),
    #[error("there is no such kind of event")]
    UnknownEvent(String),
}

impl ClientFrame {
    /// Parses one text frame.
    ///
    /// # Errors
    /// One `FrameError` for each row of contract section 6.4.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        Ok(match fields::parse(text)? {
            WireFrame::Message {
                content,
                file_id,
                client_id,
            } => Self::Message(MessageDraft {
                content: content_of(content, file_id.is_some())?,
                file_id: file_id.map(|id| id.0),
                client_id,
            }),
            WireFrame::Typing { typing } => Self::Typing(typing.0),
            WireFrame::Ping => Self::Ping,
            WireFrame::Resume {
                since_seq,
                since_change,
            } => Self::Resume(Position {
                seq: since_seq.0,
                change: since_change.map(|place| place.0),
            }),
            WireFrame::Edit {
                id,
                content,
                client_id,
            } => Self::Change(ChangeDraft {
                id: id.0,
                content: Some(trimmed(content)?),
                client_id,
            }),
            WireFrame::Delete { id, client_id } => Self::Change(ChangeDraft {
                id: id.0,
                content: None,
                client_id,
            }),
            WireFrame::Read { seq } => Self::Read(seq.0),
            WireFrame::Subscribe { events } => Self::Subscribe(kinds_of(&events)?),
            WireFrame::Auth { token } => Self::Auth(token),
        })
    }
}

pub(crate) fn unknown_type(kind: &str) -> FrameError {
    FrameError::UnknownType(echo(kind))
}

fn echo(name: &str) -> String {
    name.chars().take(MAX_ECHOED_CHARACTERS).collect()
}

fn kinds_of(names: &[String]) -> Result<EventKinds, FrameError> {
    let kind = |name: &String| {
        EventKind::from_name(name).ok_or_else(|| FrameError::UnknownEvent(echo(name)))
    };
    names.iter().map(kind).collect()
}

/// The text of a message as it is stored.
fn content_of(content: Option<String>, has_file: bool) -> Result<String, FrameError> {
    let content = trimmed(content.unwrap_or_default())?;
    if content.is_empty() && !has_file {
        return Err(FrameError::EmptyMessage);
    }
    Ok(content)
}

/// A text as it is stored.
fn trimmed(content: String) -> Result<String, FrameError> {
    if content.contains('\0') {
        return Err(FrameError::Malformed);
    }
    let trimmed = content.trim_matches(is_blank);
    if trimmed.len() > MAX_CONTENT_CHARACTERS && trimmed.chars().count() > MAX_CONTENT_CHARACTERS {
        return Err(FrameError::MessageTooLong);
    }
    Ok(if trimmed.len() == content.len() {
        content
    } else {
        trimmed.to_owned()
    })
}

/// Blank in the sense of the original's `str.strip()`: Unicode white space and
/// the four ASCII information separators.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// An integer, an integral float, or a string that holds one.
pub(crate) fn parse_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().and_then(integral)),
        Value::String(text) => parse_integer_text(text),
        _ => None,
    }
}

/// An integer as text, in the forms the contract accepts (section 2.4): blanks
/// around it, a sign, a `.0` tail. Beyond 64 bits it is none.
pub fn parse_integer_text(text: &str) -> Option<i64> {
    let text = text.trim_matches(is_blank);
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    whole.parse().ok()
}

/// Numbers beyond 64 bits are integers too; saturated, they still name nothing.
#[expect(
    clippy::cast_possible_truncation,
    reason = "saturation is what is wanted"
)]
fn integral(number: f64) -> Option<i64> {
    (number.fract() == 0.0).then_some(number as i64)
}

#[cfg(test)]
mod tests;
