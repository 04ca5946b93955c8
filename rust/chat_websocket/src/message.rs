//! A data message that has not come to its end yet.

use crate::deflate::inflate;
use crate::error::DecodeError;
use crate::event::Event;
use crate::header::{Frame, Opcode};

#[derive(Debug)]
pub(crate) enum Message {
    Text(PartialText),
    Binary(Vec<u8>),
    Compressed { opcode: Opcode, bytes: Vec<u8> },
}

impl Message {
    /// A message that begins with this frame.
    pub(crate) fn new(frame: &Frame) -> Self {
        match frame.opcode {
            opcode if frame.is_compressed => Self::Compressed {
                opcode,
                bytes: Vec::new(),
            },
            Opcode::Text => Self::Text(PartialText::default()),
            _ => Self::Binary(Vec::new()),
        }
    }

    /// Bytes of its frames so far.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.text.len() + text.cut().len(),
            Self::Binary(bytes) | Self::Compressed { bytes, .. } => bytes.len(),
        }
    }

    /// Appends a piece, behind which at most `may_follow` bytes will come.
    pub(crate) fn push(&mut self, piece: &[u8], may_follow: usize) -> Result<(), DecodeError> {
        match self {
            Self::Text(text) => text.push(piece, may_follow),
            Self::Binary(bytes) | Self::Compressed { bytes, .. } => {
                bytes.reserve_exact(growth(
                    bytes.len(),
                    bytes.capacity(),
                    piece.len(),
                    may_follow,
                ));
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    pub(crate) fn finish(self, max_bytes: usize) -> Result<Finished, DecodeError> {
        match self {
            Self::Text(text) if text.cut().is_empty() => Ok(Event::Text(text.text).into()),
            Self::Text(_) => Err(DecodeError::InvalidUtf8),
            Self::Binary(bytes) => Ok(Event::Binary(bytes).into()),
            Self::Compressed { opcode, bytes } => finish_compressed(opcode, &bytes, max_bytes),
        }
    }
}

/// A complete message.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) event: Event,
    /// How long it was made by inflating.
    pub(crate) inflated_bytes: usize,
}

impl From<Event> for Finished {
    fn from(event: Event) -> Self {
        Self {
            event,
            inflated_bytes: 0,
        }
    }
}

/// A message whose only frame lies in one piece.
pub(crate) fn finish_whole(
    frame: &Frame,
    payload: &[u8],
    max_bytes: usize,
) -> Result<Finished, DecodeError> {
    match frame.opcode {
        opcode if frame.is_compressed => finish_compressed(opcode, payload, max_bytes),
        Opcode::Text => {
            let text = std::str::from_utf8(payload).map_err(|_| DecodeError::InvalidUtf8)?;
            Ok(Event::Text(text.to_owned()).into())
        }
        _ => Ok(Event::Binary(payload.to_vec()).into()),
    }
}

fn finish_compressed(
    opcode: Opcode,
    compressed: &[u8],
    max_bytes: usize,
) -> Result<Finished, DecodeError> {
    let message = inflate(compressed, max_bytes)?;
    let inflated_bytes = message.len();
    let event = match opcode {
        Opcode::Text => {
            Event::Text(String::from_utf8(message).map_err(|_| DecodeError::InvalidUtf8)?)
        }
        _ => Event::Binary(message),
    };
    Ok(Finished {
        event,
        inflated_bytes,
    })
}

/// Text that is checked as it comes, also within a frame: what cannot become
/// UTF-8 any more is refused at once, and nothing is checked twice.
#[derive(Debug, Default)]
pub(crate) struct PartialText {
    text: String,
    /// The start of a character whose other bytes are still to come.
    cut: [u8; 4],
    cut_bytes: u8,
}

impl PartialText {
    fn cut(&self) -> &[u8] {
        &self.cut[..usize::from(self.cut_bytes)]
    }

    fn push(&mut self, piece: &[u8], may_follow: usize) -> Result<(), DecodeError> {
        self.text.reserve_exact(growth(
            self.text.len(),
            self.text.capacity(),
            self.cut().len() + piece.len(),
            may_follow,
        ));
        let mut piece = piece;
        while self.cut_bytes > 0 {
            let Some((next, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            self.cut[usize::from(self.cut_bytes)] = *next;
            self.cut_bytes += 1;
            let cut = self.cut;
            if let (character, []) = split_cut(&cut[..usize::from(self.cut_bytes)])? {
                self.text.push_str(character);
                self.cut_bytes = 0;
            }
        }
        let (valid, cut) = split_cut(piece)?;
        self.text.push_str(valid);
        self.cut[..cut.len()].copy_from_slice(cut);
        self.cut_bytes = u8::try_from(cut.len()).unwrap_or(0);
        Ok(())
    }
}

/// Splits off a character that is not complete yet: at most three bytes.
fn split_cut(bytes: &[u8]) -> Result<(&str, &[u8]), DecodeError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok((text, &[])),
        Err(error) if error.error_len().is_none() => {
            let (valid, cut) = bytes.split_at(error.valid_up_to());
            let valid = std::str::from_utf8(valid).map_err(|_| DecodeError::InvalidUtf8)?;
            Ok((valid, cut))
        }
        Err(_) => Err(DecodeError::InvalidUtf8),
    }
}

/// How much to reserve for a piece: doubling, so that many small pieces are not
/// copied again and again, but not beyond the end of the message if that is known,
/// and never for bytes that were only announced.
fn growth(len: usize, capacity: usize, piece: usize, may_follow: usize) -> usize {
    if len + piece <= capacity {
        return piece;
    }
    (2 * capacity)
        .saturating_sub(len)
        .clamp(piece, piece + may_follow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_came_and_not_what_was_announced() {
        let mut message = Message::Binary(Vec::new());
        let mut capacities = Vec::new();
        for may_follow in [900, 800, 700, 600, 500, 400, 300, 200, 100, 0] {
            message.push(&[0; 100], may_follow).expect("any bytes");
            if let Message::Binary(bytes) = &message {
                capacities.push(bytes.capacity());
            }
        }
        assert_eq!(
            capacities,
            [100, 200, 400, 400, 800, 800, 800, 800, 1000, 1000]
        );
    }

    #[test]
    fn many_small_fragments_are_not_copied_again_and_again() {
        let mut message = Message::Binary(Vec::new());
        let mut capacities = std::collections::BTreeSet::new();
        for _ in 0..10_000 {
            message.push(b"x", 1_000_000).expect("any bytes");
            if let Message::Binary(bytes) = &message {
                capacities.insert(bytes.capacity());
            }
        }
        assert!(capacities.len() < 20, "{capacities:?}");
    }

    #[test]
    fn characters_may_be_cut_anywhere() {
        for piece_bytes in 1..8 {
            let mut text = PartialText::default();
            for piece in "añ☃😀\u{10FFFF}".as_bytes().chunks(piece_bytes) {
                text.push(piece, 0).expect("UTF-8");
            }
            assert_eq!(text.text, "añ☃😀\u{10FFFF}");
            assert!(text.cut().is_empty());
        }
    }

    #[test]
    fn text_is_refused_with_the_first_byte_that_cannot_be_right() {
        for bytes in [
            &b"a\xff"[..],
            b"\xc3a",
            b"\xed\xa0",
            b"\xf4\x90",
            b"\xe2\x98\xffrest",
            b"\xf0\x80",
        ] {
            let mut text = PartialText::default();
            let refused_at = bytes
                .iter()
                .position(|byte| text.push(&[*byte], 9).is_err());
            let expected = if bytes.ends_with(b"rest") {
                2
            } else {
                bytes.len() - 1
            };
            assert_eq!(refused_at, Some(expected), "{bytes:?}");
        }
    }
}
