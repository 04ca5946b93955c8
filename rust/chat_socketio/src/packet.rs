//! Packets of Socket.IO protocol 5, checked as the reference checks them.
//!
//! Reading is `socketioxide-parser-common`'s, which knows the syntax; what it leaves
//! open (the JSON, the names of events, where attachments belong) is decided here.
//! Writing is a few bytes around JSON, into the frame that all readers share.

use bytes::Bytes;
use chat_hub::Frames;
use chat_protocol::EncodedFrame;
use serde::Serialize;
use serde_json::{Map, Value};
use socketioxide_core::packet::{Packet, PacketData};

use crate::client_json::{read_array, read_object};
use crate::engine::conversation::Undecodable;
use crate::payload::Payload;

/// Names that clients use for events of their own.
const RESERVED_EVENTS: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];
const MESSAGE: u8 = b'4';

/// What a client says.
#[derive(Debug, PartialEq)]
pub(crate) enum ClientPacket {
    /// `auth` is empty if the client sent none.
    Connect {
        auth: Map<String, Value>,
    },
    Disconnect,
    Event {
        name: String,
        payload: Payload,
        ack: Option<i64>,
    },
    Ack {
        id: i64,
        payload: Payload,
    },
}

impl ClientPacket {
    /// Checks a packet whose attachments have all come; gives its namespace too.
    ///
    /// # Errors
    /// If the reference would not understand it.
    pub(crate) fn check(packet: Packet) -> Result<(String, Self), Undecodable> {
        let checked = match packet.inner {
            PacketData::Connect(None) => Self::Connect { auth: Map::new() },
            PacketData::Connect(Some(auth)) => Self::Connect {
                auth: read_object(text_of(&auth)?)?,
            },
            PacketData::Disconnect => Self::Disconnect,
            PacketData::Event(value, ack) | PacketData::BinaryEvent(value, ack) => {
                let mut payload = payload(value)?;
                if payload.args.is_empty() {
                    return Err(Undecodable);
                }
                let name = match payload.args.remove(0) {
                    Value::String(name) if !RESERVED_EVENTS.contains(&&*name) => name,
                    Value::Number(number) => number.to_string(),
                    _ => return Err(Undecodable),
                };
                Self::Event { name, payload, ack }
            }
            PacketData::EventAck(value, id) | PacketData::BinaryAck(value, id) => Self::Ack {
                id,
                payload: payload(value)?,
            },
            PacketData::ConnectError(_) => return Err(Undecodable),
        };
        Ok((packet.ns.into(), checked))
    }
}

fn text_of(value: &socketioxide_core::Value) -> Result<&str, Undecodable> {
    Ok(value.as_str().ok_or(Undecodable)?)
}

fn payload(value: socketioxide_core::Value) -> Result<Payload, Undecodable> {
    let args = read_array(text_of(&value)?)?;
    let attachments: Vec<Bytes> = match value {
        socketioxide_core::Value::Str(_, Some(attachments)) => attachments.into(),
        _ => Vec::new(),
    };
    // A client closes its connection over a place for an attachment that is not there.
    if !attachments.is_empty()
        && !args
            .iter()
            .all(|arg| refers_to_existing(arg, attachments.len()))
    {
        return Err(Undecodable);
    }
    Ok(Payload { args, attachments })
}

/// Whether every `{"_placeholder":true,"num":n}` means one of the attachments.
fn refers_to_existing(value: &Value, attachments: usize) -> bool {
    match value {
        Value::Array(items) => items
            .iter()
            .all(|item| refers_to_existing(item, attachments)),
        Value::Object(object) if object.get("_placeholder") == Some(&Value::Bool(true)) => object
            .get("num")
            .and_then(Value::as_u64)
            .is_some_and(|number| number < attachments as u64),
        Value::Object(object) => object
            .values()
            .all(|item| refers_to_existing(item, attachments)),
        _ => true,
    }
}

/// `0`: the client is in the namespace.
pub(crate) fn connected(namespace: &str, sid: &str) -> EncodedFrame {
    #[derive(Serialize)]
    struct Connected<'a> {
        sid: &'a str,
    }
    text(b"0", namespace, None, &Connected { sid })
}

/// `1`: the client is not in the namespace any more.
pub(crate) fn disconnected(namespace: &str) -> EncodedFrame {
    EncodedFrame::text(|frame| {
        frame.extend_from_slice(&[MESSAGE, b'1']);
        append_namespace(frame, namespace);
    })
}

/// `4`: the client may not be in the namespace.
pub(crate) fn connect_error(namespace: &str, reason: &Value) -> EncodedFrame {
    text(b"4", namespace, None, reason)
}

/// `2` or, with attachments, `5`: something has happened.
pub(crate) fn event(namespace: &str, ack: Option<i64>, name: &str, payload: &Payload) -> Frames {
    let attachments = &payload.attachments;
    let content = WithName(name, &payload.args);
    with_attachments([b'2', b'5'], namespace, ack, &content, attachments)
}

/// `3` or, with attachments, `6`: the answer to an event.
pub(crate) fn ack(namespace: &str, id: i64, payload: &Payload) -> Frames {
    let attachments = &payload.attachments;
    with_attachments(
        [b'3', b'6'],
        namespace,
        Some(id),
        &payload.args,
        attachments,
    )
}

struct WithName<'a>(&'a str, &'a [Value]);

impl Serialize for WithName<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut sequence = serializer.serialize_seq(Some(1 + self.1.len()))?;
        sequence.serialize_element(self.0)?;
        for argument in self.1 {
            sequence.serialize_element(argument)?;
        }
        sequence.end()
    }
}

fn with_attachments(
    [plain, binary]: [u8; 2],
    namespace: &str,
    id: Option<i64>,
    content: &impl Serialize,
    attachments: &[Bytes],
) -> Frames {
    if attachments.is_empty() {
        return text(&[plain], namespace, id, content).into();
    }
    let mut kind = vec![binary];
    kind.extend_from_slice(attachments.len().to_string().as_bytes());
    kind.push(b'-');
    let mut frames = vec![text(&kind, namespace, id, content)];
    frames.extend(
        attachments
            .iter()
            .map(|attachment| EncodedFrame::binary(attachment)),
    );
    frames.into()
}

fn text(kind: &[u8], namespace: &str, id: Option<i64>, content: &impl Serialize) -> EncodedFrame {
    EncodedFrame::text(|frame| {
        frame.push(MESSAGE);
        frame.extend_from_slice(kind);
        append_namespace(frame, namespace);
        if let Some(id) = id {
            frame.extend_from_slice(id.to_string().as_bytes());
        }
        // JSON values into a vector: there is nothing that can fail.
        let _ = serde_json::to_writer(frame, content);
    })
}

fn append_namespace(frame: &mut Vec<u8>, namespace: &str) {
    if namespace != "/" {
        frame.extend_from_slice(namespace.as_bytes());
        frame.push(b',');
    }
}

#[cfg(test)]
mod tests;
