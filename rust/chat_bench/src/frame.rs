//! WebSocket frames (RFC 6455, section 5.2): what a client of ours reads and writes.
//!
//! No more than a load client needs: a server sends its frames unmasked and, as
//! long as it takes part here, in one piece.

use std::ops::Range;

use crate::error::BenchError;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Length codes that announce 2 and 8 further bytes of length.
const TWO_BYTE_LENGTH: u8 = 126;
const EIGHT_BYTE_LENGTH: u8 = 127;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

/// One frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: Opcode,
    /// Where the payload is in the bytes given; the frame ends there too.
    pub(crate) payload: Range<usize>,
}

/// The frame at the start of `bytes`, or none if it is not complete.
///
/// # Errors
///
/// [`BenchError::Answer`] for masked, fragmented, compressed and binary frames.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Frame>, BenchError> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let opcode = match first ^ FIN {
        0x1 => Opcode::Text,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xA => Opcode::Pong,
        _ => return Err(unexpected(*first, *second)),
    };
    let (start, length): (usize, usize) = match *second {
        TWO_BYTE_LENGTH => match rest.first_chunk() {
            Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        EIGHT_BYTE_LENGTH => match rest.first_chunk() {
            Some(length) => (10, u64::from_be_bytes(*length) as usize),
            None => return Ok(None),
        },
        length if length < TWO_BYTE_LENGTH => (2, usize::from(length)),
        _ => return Err(unexpected(*first, *second)),
    };
    let payload = start..start.saturating_add(length);
    Ok((payload.end <= bytes.len()).then_some(Frame { opcode, payload }))
}

fn unexpected(first: u8, second: u8) -> BenchError {
    BenchError::Answer(format!("a frame that starts with {first:#x} {second:#x}"))
}

/// Appends a whole frame of a client; `write_payload` appends the payload.
pub(crate) fn append(out: &mut Vec<u8>, opcode: Opcode, write_payload: impl FnOnce(&mut Vec<u8>)) {
    append_fragment(out, opcode, true, write_payload);
}

/// Appends a frame of a client that may be only a part of a message.
///
/// Longer payloads than 65,535 bytes are none of the client's business.
pub(crate) fn append_fragment(
    out: &mut Vec<u8>,
    opcode: Opcode,
    last: bool,
    write_payload: impl FnOnce(&mut Vec<u8>),
) {
    /// Two bytes, two of a long length, four of the mask.
    const LONG_HEAD: usize = 8;
    let frame = out.len();
    out.resize(frame + LONG_HEAD, 0);
    write_payload(out);
    let length = out.len() - frame - LONG_HEAD;
    // Any mask will do that makes the server take one off; it must differ from
    // zero, lest a server has a short cut for that.
    let mask = 0x9E37_79B9_u32.rotate_left(frame as u32 & 31).to_ne_bytes();
    for (byte, key) in out[frame + LONG_HEAD..].iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    out[frame] = opcode as u8 | if last { FIN } else { 0 };
    out[frame + 4..frame + LONG_HEAD].copy_from_slice(&mask);
    match u8::try_from(length) {
        Ok(length) if length < TWO_BYTE_LENGTH => {
            out[frame + 1] = MASKED | length;
            // The two bytes of the long length were not needed.
            out.drain(frame + 2..frame + 4);
        }
        _ => {
            out[frame + 1] = MASKED | TWO_BYTE_LENGTH;
            out[frame + 2..frame + 4].copy_from_slice(&(length as u16).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_all_lengths_are_found_once_complete() {
        for length in [0_usize, 5, 125, 126, 235, 65_535, 65_536] {
            let mut bytes = vec![0x81];
            match length {
                0..126 => bytes.push(length as u8),
                126..65_536 => {
                    bytes.push(126);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend((length as u64).to_be_bytes());
                }
            }
            let start = bytes.len();
            bytes.resize(start + length, b'x');
            for short in 0..bytes.len().min(20) {
                assert_eq!(parse(&bytes[..short]).expect("valid"), None, "{length}");
            }
            bytes.push(0x81);
            let frame = parse(&bytes).expect("valid").expect("complete");
            assert_eq!(frame.opcode, Opcode::Text);
            assert_eq!(frame.payload, start..start + length);
        }
    }

    #[test]
    fn what_no_server_here_sends_is_an_error() {
        // A fragment, a binary frame, compression, a mask.
        for bytes in [[0x01, 0x00], [0x82, 0x00], [0xC1, 0x00], [0x81, 0x80]] {
            assert!(parse(&bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_frame_of_a_client_is_masked() {
        for length in [0_usize, 90, 125, 126, 300] {
            let mut out = b"before".to_vec();
            append(&mut out, Opcode::Text, |out| {
                out.extend(std::iter::repeat_n(b'y', length));
            });
            let frame = &out[6..];
            assert_eq!(frame[0], 0x81);
            let head = if length < 126 { 2 } else { 4 };
            let (mask, payload) = frame[head..].split_at(4);
            assert_eq!(payload.len(), length);
            assert_eq!(frame[1] & 0x80, 0x80);
            assert!(mask.iter().any(|byte| *byte != 0));
            let unmasked = payload.iter().zip(mask.iter().cycle());
            assert!(unmasked.into_iter().all(|(byte, key)| byte ^ key == b'y'));
        }
    }
}
