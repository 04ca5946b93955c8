//! Server frames in their WebSocket wire form (RFC 6455, section 5.2).
//!
//! Frames from a server are not masked, so one encoding serves every reader. A
//! frame is immutable once made and cheap to clone.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::deflate::deflate;
use crate::header::COMPRESSED;

/// An empty ping (RFC 6455, section 5.5.2).
pub const PING_FRAME: &[u8] = &[0x89, 0x00];

/// Header, code and the longest reason a control frame can carry.
const CLOSE_FRAME_MAX_BYTES: usize = 2 + 125;

const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PONG: u8 = 0x8A;
/// The longest header of a server frame: two bytes and a 64-bit length.
const MAX_HEADER_BYTES: usize = 10;

/// Shorter payloads are not worth compressing: a few dozen bytes would be won, in
/// a packet that is sent anyway.
const MIN_COMPRESSED_PAYLOAD_BYTES: usize = 1024;

/// A text or binary frame, header and payload in one buffer, and its compressed form once
/// somebody wants it. Clones share both.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    plain: Bytes,
    payload_start: usize,
    /// None inside: not worth it.
    compressed: OnceLock<Option<Bytes>>,
}

impl EncodedFrame {
    /// Encodes the text that `write_payload` appends (it must be UTF-8).
    pub fn text(write_payload: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::encode(FINAL_TEXT, write_payload)
    }

    /// Encodes a binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(FINAL_BINARY, |buffer| buffer.extend_from_slice(payload))
    }

    fn encode(first: u8, write_payload: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut buffer = Vec::with_capacity(256);
        buffer.resize(MAX_HEADER_BYTES, 0);
        write_payload(&mut buffer);
        let (plain, payload_start) = finish_frame(first, buffer);
        Self {
            shared: Arc::new(Shared {
                plain,
                payload_start,
                compressed: OnceLock::new(),
            }),
        }
    }

    /// Header and payload.
    pub fn wire_bytes(&self) -> &Bytes {
        &self.shared.plain
    }

    /// Header and payload for a reader that has negotiated permessage-deflate:
    /// compressed if that is worth it, which is done at most once.
    pub fn deflated_wire_bytes(&self) -> &Bytes {
        if self.payload().len() < MIN_COMPRESSED_PAYLOAD_BYTES {
            return &self.shared.plain;
        }
        let compressed = self.shared.compressed.get_or_init(|| {
            let mut buffer = vec![0; MAX_HEADER_BYTES];
            deflate(self.payload(), &mut buffer).then(|| {
                buffer.shrink_to_fit();
                finish_frame(self.shared.plain[0] | COMPRESSED, buffer).0
            })
        });
        compressed.as_ref().unwrap_or(&self.shared.plain)
    }

    /// Whether it is binary and not text.
    pub fn is_binary(&self) -> bool {
        self.shared.plain[0] == FINAL_BINARY
    }

    /// The payload of a text frame alone, for transports that make their own header.
    pub fn text_payload(&self) -> &str {
        std::str::from_utf8(self.payload()).unwrap_or_default()
    }

    /// The payload alone, text or binary.
    pub fn payload(&self) -> &[u8] {
        &self.shared.plain[self.shared.payload_start..]
    }
}

/// Puts the header right before a payload that was written behind room for the
/// longest header, because its length depends on the payload's. Gives the frame
/// and where its payload begins.
fn finish_frame(first: u8, mut buffer: Vec<u8>) -> (Bytes, usize) {
    let payload_bytes = buffer.len() - MAX_HEADER_BYTES;
    let mut header = [first, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let header_bytes = if let Ok(length @ 0..=125) = u8::try_from(payload_bytes) {
        header[1] = length;
        2
    } else if let Ok(length) = u16::try_from(payload_bytes) {
        header[1] = 126;
        header[2..4].copy_from_slice(&length.to_be_bytes());
        4
    } else {
        header[1] = 127;
        header[2..10].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
        10
    };
    let start = MAX_HEADER_BYTES - header_bytes;
    buffer[start..MAX_HEADER_BYTES].copy_from_slice(&header[..header_bytes]);
    (Bytes::from(buffer).slice(start..), header_bytes)
}

/// Appends the answer to a ping (RFC 6455, section 5.5.3), whose payload the
/// decoder has bounded at 125 bytes.
pub fn append_pong(frames: &mut Vec<u8>, payload: &[u8]) {
    let length = u8::try_from(payload.len()).unwrap_or(0) & 0x7F;
    frames.extend_from_slice(&[FINAL_PONG, length]);
    frames.extend_from_slice(&payload[..usize::from(length)]);
}

/// Appends the answer to a close frame, which says the same (RFC 6455, section 5.5.1).
pub fn append_close_answer(frames: &mut Vec<u8>, close: Option<&CloseFrame>) {
    match close {
        Some(close) => frames.extend_from_slice(&encode_close(close.code, &close.reason)),
        None => frames.extend_from_slice(&[FINAL_CLOSE, 0]),
    }
}

/// A close frame (RFC 6455, section 5.5.1); the reason is cut at 123 bytes.
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(CLOSE_FRAME_MAX_BYTES - 4);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut frame = Vec::with_capacity(4 + end);
    frame.push(FINAL_CLOSE);
    frame.push(2 + u8::try_from(end).unwrap_or(0));
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(&reason.as_bytes()[..end]);
    Bytes::from(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_fits_the_payload_at_every_boundary() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame =
                EncodedFrame::text(|payload| payload.extend(std::iter::repeat_n(b'x', length)));
            assert_eq!(frame.wire_bytes()[..header.len()], header, "{length}");
            assert_eq!(frame.text_payload(), "x".repeat(length));
            assert_eq!(frame.wire_bytes().len(), header.len() + length);
        }
    }

    #[test]
    fn binary_frames_say_so() {
        let frame = EncodedFrame::binary(&[0xff, 0]);
        assert!(frame.is_binary());
        assert_eq!(frame.wire_bytes()[..], [0x82, 2, 0xff, 0]);
        assert_eq!(frame.payload(), [0xff, 0]);
        assert!(!EncodedFrame::text(|_| ()).is_binary());
    }

    #[test]
    fn a_frame_is_compressed_once_for_all_its_readers() {
        let frame = EncodedFrame::text(|payload| payload.extend(b"abc".repeat(1000)));
        let reader = frame.clone();
        let compressed = frame.deflated_wire_bytes();
        assert!(compressed.len() < 100);
        assert_eq!(compressed[0], FINAL_TEXT | COMPRESSED);
        assert!(std::ptr::eq(
            compressed.as_ptr(),
            reader.deflated_wire_bytes().as_ptr()
        ));
    }

    #[test]
    fn short_frames_are_not_compressed() {
        let frame = EncodedFrame::text(|payload| payload.extend([b'x'; 500]));
        assert_eq!(frame.deflated_wire_bytes(), frame.wire_bytes());
    }

    #[test]
    fn answers_repeat_what_they_answer() {
        let mut frames = Vec::new();
        append_pong(&mut frames, b"ab");
        append_pong(&mut frames, b"");
        append_close_answer(&mut frames, None);
        let close = CloseFrame {
            code: 1001,
            reason: "x".into(),
        };
        append_close_answer(&mut frames, Some(&close));
        assert_eq!(
            frames,
            [
                0x8a, 2, b'a', b'b', 0x8a, 0, 0x88, 0, 0x88, 3, 0x03, 0xe9, b'x'
            ]
        );
    }

    #[test]
    fn close_reasons_are_cut_between_characters() {
        assert_eq!(
            encode_close(1012, "bye")[..],
            [0x88, 5, 0x03, 0xf4, b'b', b'y', b'e']
        );
        let frame = encode_close(1000, &"ñ".repeat(100));
        assert_eq!(frame.len(), 4 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
