//! The mark a message carries in its text, so that every delivery can be
//! attributed: `phase.sender.sequence.microseconds.`, padded to a fixed length.

use std::io::Write;

/// Servers of all kinds here put the text behind this key.
const CONTENT_KEY: &[u8] = b"\"content\":\"";

/// Who sent a message, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) phase: u32,
    pub(crate) sender: u32,
    pub(crate) sequence: u32,
    /// Since the client's own start.
    pub(crate) sent_micros: u64,
}

impl Marker {
    /// Appends the frame of a client whose text has `content_bytes`.
    pub(crate) fn append_message(self, out: &mut Vec<u8>, content_bytes: usize) {
        let Self {
            phase,
            sender,
            sequence,
            sent_micros,
        } = self;
        out.extend_from_slice(b"{\"type\":\"message\",\"content\":\"");
        let start = out.len();
        // A vector takes everything.
        let _ = write!(out, "{phase}.{sender}.{sequence}.{sent_micros}.");
        let end = out.len().max(start + content_bytes);
        out.resize(end, b'x');
        out.extend_from_slice(b"\"}");
    }
}

/// Finds marks where the last one was, since the frames of a server are alike.
#[derive(Debug, Default)]
pub(crate) struct MarkerFinder {
    last_start: usize,
}

impl MarkerFinder {
    /// The mark of a frame, or none if it is no message of ours.
    pub(crate) fn find(&mut self, frame: &[u8]) -> Option<Marker> {
        let before = frame.get(..self.last_start)?;
        if !before.ends_with(CONTENT_KEY) {
            let windows = &mut frame.windows(CONTENT_KEY.len());
            self.last_start = windows.position(|window| window == CONTENT_KEY)? + CONTENT_KEY.len();
        }
        let mut rest = &frame[self.last_start..];
        Some(Marker {
            phase: take_number(&mut rest)?.try_into().ok()?,
            sender: take_number(&mut rest)?.try_into().ok()?,
            sequence: take_number(&mut rest)?.try_into().ok()?,
            sent_micros: take_number(&mut rest)?,
        })
    }
}

/// A decimal number and the full stop behind it.
fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    let mut digits = 0;
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        match first {
            b'0'..=b'9' => number = number.wrapping_mul(10) + u64::from(first - b'0'),
            b'.' if digits > 0 => return Some(number),
            _ => return None,
        }
        digits += 1;
        if digits > 19 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker = Marker {
        phase: 3,
        sender: 1,
        sequence: 40,
        sent_micros: 1_234_567,
    };

    #[test]
    fn a_mark_is_found_wherever_a_server_puts_it() {
        let mut message = Vec::new();
        MARKER.append_message(&mut message, 48);
        let message = String::from_utf8(message).expect("text");
        let content = message.split('"').nth(7).expect("the content");
        assert_eq!(content.len(), 48);
        let mut finder = MarkerFinder::default();
        for id in [7, 8, 1234] {
            let frame = format!(r#"{{"type":"message","id":{id},"content":"{content}","room":1}}"#);
            assert_eq!(finder.find(frame.as_bytes()), Some(MARKER));
        }
    }

    #[test]
    fn other_frames_have_no_mark() {
        let mut finder = MarkerFinder::default();
        for frame in [
            r#"{"type":"user_joined","user_id":1}"#,
            r#"{"type":"message","content":"1.2.x.4.yyy"}"#,
            r#"{"type":"message","content":"1.2.3"}"#,
            r#"{"type":"message","content":"1..3.4.5"}"#,
            r#"{"type":"message","content":"1.2.99999999999999999999999.4.5"}"#,
        ] {
            assert_eq!(finder.find(frame.as_bytes()), None, "{frame}");
        }
    }
}
