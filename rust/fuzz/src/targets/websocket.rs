//! The frames of a client: the same in whatever pieces they come, and read back as
//! they were meant when they are written again.

use chat_websocket::{DecodeError, Decoder, DecoderConfig, Event};

use crate::input::split_first;

const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

pub(crate) fn check(data: &[u8]) {
    let (settings, bytes) = split_first(data);
    let config = DecoderConfig {
        max_message_bytes: if settings & 2 == 0 { 1 << 16 } else { 100 },
        deflate: settings & 1 == 1,
    };
    let whole = decode(config, bytes, usize::MAX);
    for piece in [1, 2, 3 + usize::from(settings >> 2)] {
        assert_eq!(whole, decode(config, bytes, piece), "in pieces of {piece}");
    }
    let mut again = Vec::new();
    for event in &whole.events {
        let length = match event {
            Event::Text(text) => text.len(),
            Event::Binary(bytes) => bytes.len(),
            Event::Ping(bytes) | Event::Pong(bytes) => {
                assert!(bytes.len() <= 125);
                0
            }
            Event::Close(_) => 0,
        };
        assert!(length <= config.max_message_bytes);
        write(event, &mut again);
    }
    let expected: Vec<Event> = whole
        .events
        .into_iter()
        .filter(|event| !matches!(event, Event::Close(_)))
        .collect();
    let read = decode(config, &again, usize::MAX);
    assert_eq!((read.events, read.ended), (expected, Ok(())));
}

#[derive(Debug, PartialEq)]
struct Decoded {
    events: Vec<Event>,
    ended: Result<(), DecodeError>,
    /// Counts of frames, unless it ended with an error.
    frames: Option<usize>,
}

fn decode(config: DecoderConfig, bytes: &[u8], piece: usize) -> Decoded {
    let mut decoder = Decoder::new(config);
    let mut events = Vec::new();
    let mut frames = 0;
    for piece in bytes.chunks(piece.min(bytes.len().max(1))) {
        match decoder.decode(&mut piece.to_vec(), &mut events) {
            Ok(begun) => frames += begun,
            Err(error) => {
                return Decoded {
                    events,
                    ended: Err(error),
                    frames: None,
                };
            }
        }
    }
    Decoded {
        events,
        ended: Ok(()),
        frames: Some(frames),
    }
}

/// As a client writes it, a data message in two fragments.
fn write(event: &Event, wire: &mut Vec<u8>) {
    match event {
        Event::Text(text) => write_message(0x1, text.as_bytes(), wire),
        Event::Binary(bytes) => write_message(0x2, bytes, wire),
        Event::Ping(bytes) => write_frame(0x89, bytes, wire),
        Event::Pong(bytes) => write_frame(0x8A, bytes, wire),
        Event::Close(_) => {}
    }
}

fn write_message(opcode: u8, payload: &[u8], wire: &mut Vec<u8>) {
    let (first, second) = payload.split_at(payload.len() / 2);
    write_frame(opcode, first, wire);
    write_frame(0x80, second, wire);
}

fn write_frame(first: u8, payload: &[u8], wire: &mut Vec<u8>) {
    wire.push(first);
    match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => wire.push(0x80 | u8::try_from(length).unwrap_or(0)),
        Ok(length) => {
            wire.push(0x80 | 126);
            wire.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            wire.push(0x80 | 127);
            wire.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    wire.extend_from_slice(&KEY);
    wire.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
}
