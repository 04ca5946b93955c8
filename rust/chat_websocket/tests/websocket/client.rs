//! The client's side: what it may say, and another implementation that listens.

use std::io::Cursor;

use chat_websocket::{CloseFrame, Event};
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

/// Something a client sends in one or more frames.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Fragments, each followed by a ping if there is one.
    Text(String, Fragments),
    Binary(Vec<u8>, Fragments),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// Where a message is cut, and the pings between its parts.
type Fragments = Vec<(prop::sample::Index, Option<Vec<u8>>)>;

impl Said {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let control = || prop::collection::vec(any::<u8>(), 0..=125);
        let fragments = || {
            let fragment = (any::<prop::sample::Index>(), prop::option::of(control()));
            prop::collection::vec(fragment, 0..4)
        };
        prop_oneof![
            4 => ("\\PC{0,200}", fragments()).prop_map(|(text, cuts)| Self::Text(text, cuts)),
            2 => ("\\PC{0,90}", 1usize..800).prop_map(|(text, n)| Self::Text(text.repeat(n), vec![])),
            2 => (prop::collection::vec(any::<u8>(), 0..300), fragments())
                .prop_map(|(bytes, cuts)| Self::Binary(bytes, cuts)),
            1 => control().prop_map(Self::Pong),
            1 => (3000u16..5000, "\\PC{0,30}").prop_map(|(code, reason)| Self::Close(code, reason)),
        ]
    }

    /// What the server hears.
    pub(crate) fn events(&self) -> Vec<Event> {
        let (message, cuts) = match self {
            Self::Text(text, cuts) => (Event::Text(text.clone()), cuts),
            Self::Binary(bytes, cuts) => (Event::Binary(bytes.clone()), cuts),
            Self::Pong(payload) => return vec![Event::Pong(payload.clone())],
            Self::Close(code, reason) => {
                let (code, reason) = (*code, reason.clone());
                return vec![Event::Close(Some(CloseFrame { code, reason }))];
            }
        };
        let pings = cuts.iter().filter_map(|(_, ping)| ping.clone());
        pings.map(Event::Ping).chain([message]).collect()
    }
}

/// The frames as a client sends them.
pub(crate) fn encode(said: &Said) -> Vec<u8> {
    let (opcode, payload, fragments) = match said {
        Said::Text(text, fragments) => (1, text.as_bytes(), fragments),
        Said::Binary(bytes, fragments) => (2, bytes.as_slice(), fragments),
        Said::Pong(payload) => return frame(0x8A, payload),
        Said::Close(code, reason) => {
            return frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat());
        }
    };
    let mut cuts: Vec<usize> = fragments
        .iter()
        .map(|(index, _)| index.index(payload.len() + 1))
        .collect();
    cuts.sort_unstable();
    let (mut stream, mut start, mut opcode) = (Vec::new(), 0, opcode);
    for (cut, (_, ping)) in cuts.into_iter().zip(fragments) {
        stream.extend(frame(opcode, &payload[start..cut]));
        if let Some(ping) = ping {
            stream.extend(frame(0x89, ping));
        }
        (start, opcode) = (cut, 0);
    }
    stream.extend(frame(0x80 | opcode, &payload[start..]));
    stream
}

/// One masked frame; the first byte holds the final bit, the reserved bits and the opcode.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key: [u8; 4] = [0x37, 0xfa, 0x21, payload.len() as u8];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

/// A server's frame as a client would send it.
pub(crate) fn encode_again(server_frame: &[u8]) -> Vec<u8> {
    let header_bytes = match server_frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    frame(server_frame[0], &server_frame[header_bytes..])
}

/// The text another implementation finds in a server's frame.
pub(crate) fn read_text(frame: &[u8]) -> String {
    let mut client = WebSocket::from_raw_socket(Cursor::new(frame.to_vec()), Role::Client, None);
    match client.read().expect("a frame") {
        Message::Text(text) => text.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}
