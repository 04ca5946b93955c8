//! Parses what a client sends (contract sections 6.3 and 6.4, and the additions of
//! docs/PROTOCOL.md).
//!
//! Parsing is total: every text is either a frame or one of the `FrameError`
//! variants, whatever its depth, size or encoding tricks.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::events::{EventKind, EventKinds};
use crate::ids::{Change, Seq};

/// The longest `content` in Unicode characters. The contract wants at least
/// 100 000; the bound keeps one message far below a reader's outbox.
pub const MAX_CONTENT_CHARACTERS: usize = 131_072;

/// An unknown name is echoed in the error up to this many characters.
const MAX_ECHOED_CHARACTERS: usize = 200;

/// The longest `client_id` in Unicode characters. Generous for any form of UUID.
const MAX_CLIENT_ID_CHARACTERS: usize = 128;

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
    /// `{"type":"subscribe","events":[s,…]}`: what the client wants to get besides.
    Subscribe(EventKinds),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The place of the last message.
    pub seq: Seq,
    /// The place of the last change, if it wants to know of changes.
    pub change: Option<Change>,
}

/// A client's own name for a message: 1 to 128 characters, none a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId(String);

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
        let mut fields: Fields = serde_json::from_str(text).map_err(|_| FrameError::Malformed)?;
        match fields.kind.take() {
            None => fields.into_message(),
            Some(Value::String(kind)) => match kind.as_str() {
                "message" => fields.into_message(),
                "typing" => Ok(Self::Typing(fields.typing.as_ref().is_some_and(is_truthy))),
                "ping" => Ok(Self::Ping),
                "edit" => fields.into_change(true),
                "delete" => fields.into_change(false),
                "resume" => fields.into_resume(),
                "subscribe" => fields.into_subscribe(),
                _ => Err(unknown_type(&kind)),
            },
            Some(other) => Err(unknown_type(&other.to_string())),
        }
    }
}

fn unknown_type(kind: &str) -> FrameError {
    FrameError::UnknownType(echo(kind))
}

fn echo(name: &str) -> String {
    name.chars().take(MAX_ECHOED_CHARACTERS).collect()
}

/// The known keys of a frame; of a repeated key the last one counts, as in the
/// JSON parsers of the clients' other servers.
#[derive(Default)]
struct Fields {
    kind: Option<Value>,
    content: Option<Value>,
    file_id: Option<Value>,
    typing: Option<Value>,
    client_id: Option<Value>,
    id: Option<Value>,
    since_seq: Option<Value>,
    since_change: Option<Value>,
    events: Option<Value>,
}

impl Fields {
    fn into_resume(self) -> Result<ClientFrame, FrameError> {
        let seq = self
            .since_seq
            .and_then(|value| parse_integer(&value))
            .and_then(Seq::from_client)
            .ok_or(FrameError::Malformed)?;
        let change = match self.since_change {
            None => None,
            Some(value) => {
                let place = parse_integer(&value).and_then(Change::from_client);
                Some(place.ok_or(FrameError::Malformed)?)
            }
        };
        Ok(ClientFrame::Resume(Position { seq, change }))
    }

    fn into_change(self, is_edit: bool) -> Result<ClientFrame, FrameError> {
        let id = self.id.as_ref().and_then(parse_integer);
        let content = match self.content {
            _ if !is_edit => None,
            Some(Value::String(text)) => Some(trimmed(text)?),
            _ => return Err(FrameError::Malformed),
        };
        Ok(ClientFrame::Change(ChangeDraft {
            id: id.ok_or(FrameError::Malformed)?,
            content,
            client_id: parse_client_id(self.client_id)?,
        }))
    }

    fn into_subscribe(self) -> Result<ClientFrame, FrameError> {
        let Some(Value::Array(names)) = self.events else {
            return Err(FrameError::Malformed);
        };
        let kind = |name: &Value| {
            let name = name.as_str().ok_or(FrameError::Malformed)?;
            EventKind::from_name(name).ok_or_else(|| FrameError::UnknownEvent(echo(name)))
        };
        let kinds: Result<EventKinds, _> = names.iter().map(kind).collect();
        kinds.map(ClientFrame::Subscribe)
    }

    fn into_message(self) -> Result<ClientFrame, FrameError> {
        let file_id = match self.file_id {
            None | Some(Value::Null) => None,
            Some(value) => Some(parse_integer(&value).ok_or(FrameError::Malformed)?),
        };
        let client_id = parse_client_id(self.client_id)?;
        let content = match self.content {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(_) => return Err(FrameError::Malformed),
        };
        let content = trimmed(content)?;
        if content.is_empty() && file_id.is_none() {
            return Err(FrameError::EmptyMessage);
        }
        Ok(ClientFrame::Message(MessageDraft {
            content,
            file_id,
            client_id,
        }))
    }
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

fn parse_client_id(value: Option<Value>) -> Result<Option<ClientId>, FrameError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let client_id = ClientId::new(text);
            client_id.map(Some).ok_or(FrameError::Malformed)
        }
        Some(_) => Err(FrameError::Malformed),
    }
}

/// Blank in the sense of the original's `str.strip()`: Unicode white space and
/// the four ASCII information separators.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// An integer, an integral float, or a string that holds one.
fn parse_integer(value: &Value) -> Option<i64> {
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

/// The truth value a dynamically typed server gives a JSON value.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    let slot = match key.as_ref() {
                        "type" => &mut fields.kind,
                        "content" => &mut fields.content,
                        "file_id" => &mut fields.file_id,
                        "typing" => &mut fields.typing,
                        "client_id" => &mut fields.client_id,
                        "id" => &mut fields.id,
                        "since_seq" => &mut fields.since_seq,
                        "since_change" => &mut fields.since_change,
                        "events" => &mut fields.events,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *slot = Some(map.next_value()?);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[cfg(test)]
mod tests;
