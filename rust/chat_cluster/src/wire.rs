//! What stands in a message of the server: from whom it is, what it is, and what is said.

use bytes::Bytes;

use crate::channel::NodeId;

const HEARTBEAT: u8 = 0;
const GOODBYE: u8 = 1;
const MESSAGE: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The process is there.
    Heartbeat,
    /// The process ends now.
    Goodbye,
    Message(Bytes),
}

pub(crate) fn encode(from: NodeId, said: &Said) -> Vec<u8> {
    let (kind, payload): (u8, &[u8]) = match said {
        Said::Heartbeat => (HEARTBEAT, &[]),
        Said::Goodbye => (GOODBYE, &[]),
        Said::Message(payload) => (MESSAGE, payload),
    };
    let mut bytes = Vec::with_capacity(NodeId::LENGTH + 1 + payload.len());
    bytes.extend_from_slice(from.as_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    bytes
}

/// None if it is none of ours.
pub(crate) fn decode(bytes: Vec<u8>) -> Option<(NodeId, Said)> {
    let (node, rest) = bytes.split_first_chunk()?;
    let from = NodeId::from_bytes(*node);
    let said = match *rest.first()? {
        HEARTBEAT => Said::Heartbeat,
        GOODBYE => Said::Goodbye,
        MESSAGE => Said::Message(Bytes::from(bytes).slice(NodeId::LENGTH + 1..)),
        _ => return None,
    };
    Some((from, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let node = NodeId::random();
        for said in [
            Said::Heartbeat,
            Said::Goodbye,
            Said::Message(Bytes::from_static(b"\0\xff")),
            Said::Message(Bytes::new()),
        ] {
            assert_eq!(decode(encode(node, &said)), Some((node, said)));
        }
    }

    #[test]
    fn what_others_say_on_the_channel_is_nothing() {
        assert_eq!(decode(Vec::new()), None);
        assert_eq!(decode(vec![1; 16]), None);
        assert_eq!(decode(vec![77; 40]), None);
    }
}
