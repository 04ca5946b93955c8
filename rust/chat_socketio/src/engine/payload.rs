//! Packets in the body of a POST or of the answer to a GET (Engine.IO protocol 4,
//! "HTTP long-polling"): one behind the other with a separator between.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chat_protocol::EncodedFrame;
use engineioxide_core::{Packet, PacketParseError, ProtocolVersion};

const SEPARATOR: char = '\x1e';
/// More packets than any client puts into one body.
const MAX_PACKETS: usize = 65_536;

/// Decodes the body of a POST.
///
/// # Errors
/// What is wrong with the first packet that cannot be decoded.
pub(crate) fn decode(body: &str) -> Result<Vec<Packet>, PacketParseError> {
    let mut packets = Vec::new();
    for packet in body.split(SEPARATOR) {
        if packets.len() == MAX_PACKETS {
            return Err(PacketParseError::InvalidPacketLen);
        }
        packets.push(Packet::parse(ProtocolVersion::V4, packet.to_owned())?);
    }
    Ok(packets)
}

/// The body with these messages, which are packets already but for binary ones.
pub(crate) fn encode<'a>(messages: impl IntoIterator<Item = &'a EncodedFrame>) -> Vec<u8> {
    let mut body = String::new();
    for message in messages {
        if !body.is_empty() {
            body.push(SEPARATOR);
        }
        if message.is_binary() {
            body.push('b');
            BASE64_STANDARD.encode_string(message.payload(), &mut body);
        } else {
            body.push_str(message.text_payload());
        }
    }
    body.into_bytes()
}

/// Appends a packet without content.
pub(crate) fn append(body: &mut Vec<u8>, packet: u8) {
    if !body.is_empty() {
        body.push(SEPARATOR as u8);
    }
    body.push(packet);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(packet: &str) -> EncodedFrame {
        EncodedFrame::text(|payload| payload.extend_from_slice(packet.as_bytes()))
    }

    #[test]
    fn packets_are_separated_and_binary_ones_in_base64() {
        let mut body = encode(&[text("4hello"), EncodedFrame::binary(&[1, 2, 3, 4])]);
        append(&mut body, b'1');
        assert_eq!(body, b"4hello\x1ebAQIDBA==\x1e1");
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for body in ["", "abc", "4a\x1e", "b=", "7", "4a\x1e\x1e4b"] {
            assert!(decode(body).is_err(), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_decoded_or_refused(body in "[0-9b\u{1e}a-z=é]{0,60}") {
            let _ = decode(&body);
        }

        #[test]
        fn what_is_encoded_is_decoded(messages in prop::collection::vec("[^\u{1e}]{0,20}", 1..5), binary: Vec<u8>) {
            let mut frames: Vec<_> = messages.iter().map(|message| text(&format!("4{message}"))).collect();
            frames.push(EncodedFrame::binary(&binary));
            let body = String::from_utf8(encode(&frames)).expect("text");
            let packets = decode(&body).expect("well formed");
            let mut expected: Vec<_> = messages.into_iter().map(|message| Packet::Message(message.into())).collect();
            expected.push(Packet::Binary(binary.into()));
            prop_assert_eq!(packets, expected);
        }
    }
}
