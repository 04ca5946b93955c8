//! What the targets of `rust/fuzz` need of the insides.

use chat_hub::Frames;
use chat_protocol::EncodedFrame;
use engineioxide_core::Packet as EnginePacket;
use socketioxide_core::parser::{Parse as _, ParseConfig, ParseError, ParserState};
use socketioxide_parser_common::CommonParser;

use crate::engine::payload as body;
use crate::half_pairs::replace_half_pairs;
use crate::packet::{ClientPacket, ack, connected, disconnected, event};

enum Message {
    Text(String),
    Binary(Vec<u8>),
}

/// The messages of Socket.IO packets, a line each, those that begin with `b` binary:
/// what is understood means the same when it is written again.
///
/// # Panics
/// If that does not hold.
pub fn packets(data: &[u8]) {
    let messages = data.split(|byte| *byte == b'\n').map(|line| match line {
        [b'b', payload @ ..] => Message::Binary(payload.to_vec()),
        text => Message::Text(String::from_utf8_lossy(text).into_owned()),
    });
    for (namespace, packet) in decode(messages) {
        let frames: Frames = match &packet {
            ClientPacket::Event { name, payload, ack } => event(&namespace, *ack, name, payload),
            ClientPacket::Ack { id, payload } => ack(&namespace, *id, payload),
            ClientPacket::Disconnect => disconnected(&namespace).into(),
            // The answer to it is another packet.
            ClientPacket::Connect { .. } => {
                connected(&namespace, "id");
                continue;
            }
        };
        let again = frames.iter().map(|frame| {
            if frame.is_binary() {
                Message::Binary(frame.payload().to_vec())
            } else {
                Message::Text(frame.text_payload()[1..].to_owned())
            }
        });
        assert_eq!(decode(again), [(namespace, packet)]);
    }
}

/// The packets that are complete before the first that is not understood.
fn decode(messages: impl Iterator<Item = Message>) -> Vec<(String, ClientPacket)> {
    let (config, state) = (ParseConfig::default(), ParserState::default());
    let mut packets = Vec::new();
    for message in messages {
        let decoded = match message {
            Message::Text(text) => {
                let text = replace_half_pairs(&text).into_owned();
                CommonParser.decode_str(&config, &state, text.into())
            }
            Message::Binary(payload) => CommonParser.decode_bin(&config, &state, payload.into()),
        };
        match decoded.map(ClientPacket::check) {
            Ok(Ok(packet)) => packets.push(packet),
            Err(ParseError::NeedsMoreBinaryData) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    packets
}

/// The body of a POST that polls: its messages are the same when they are written again.
///
/// # Panics
/// If that does not hold.
pub fn payload(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(packets) = body::decode(text) else {
        return;
    };
    let is_message = |packet: &EnginePacket| {
        matches!(packet, EnginePacket::Message(_) | EnginePacket::Binary(_))
    };
    let messages: Vec<EnginePacket> = packets.into_iter().filter(is_message).collect();
    if messages.is_empty() {
        return;
    }
    let frames = messages.iter().map(|message| match message {
        EnginePacket::Binary(payload) => EncodedFrame::binary(payload),
        EnginePacket::Message(text) => EncodedFrame::text(|frame| {
            frame.push(b'4');
            frame.extend_from_slice(text.as_bytes());
        }),
        _ => EncodedFrame::binary(&[]),
    });
    let frames: Vec<EncodedFrame> = frames.collect();
    let Ok(again) = String::from_utf8(body::encode(&frames)) else {
        panic!("a body is text");
    };
    assert!(body::decode(&again).is_ok_and(|packets| packets == messages));
}
