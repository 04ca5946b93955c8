//! The compression of messages (RFC 7692, section 7.2), each by itself.
//!
//! Nothing is kept from one message to the next, so the working memory (about
//! 50 KB to inflate, 200 KB to deflate) belongs to the thread and not to a
//! connection, and exists only once it is used.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::{DecodeError, Violation};

/// The window of what the server sends: 4 KiB, as far back as repetitions in a
/// chat message reach, and what the clients that state one at all usually ask for.
pub(crate) const SERVER_WINDOW_BITS: u8 = 12;

/// The end of a flushed stream, which does not travel.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// What is reserved for a message at first, so that small ones need no second step.
const FIRST_RESERVE_BYTES: usize = 512;

thread_local! {
    static INFLATER: RefCell<Decompress> = RefCell::new(Decompress::new(false));
    static DEFLATER: RefCell<Compress> = RefCell::new(Compress::new_with_window_bits(
        Compression::default(),
        false,
        SERVER_WINDOW_BITS,
    ));
}

/// Inflates a message. Stops, and allocates nothing more, once it is longer than allowed.
pub(crate) fn inflate(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    INFLATER.with_borrow_mut(|inflater| {
        inflater.reset(false);
        let mut message = Vec::new();
        for part in [compressed, &TAIL] {
            if inflate_part(inflater, part, &mut message, max_bytes)? {
                break;
            }
        }
        Ok(message)
    })
}

/// Inflates a part of the input; true if the stream is at its end.
fn inflate_part(
    inflater: &mut Decompress,
    mut input: &[u8],
    message: &mut Vec<u8>,
    max_bytes: usize,
) -> Result<bool, DecodeError> {
    loop {
        if message.len() == message.capacity() {
            // One byte more than allowed shows that there is more.
            let most = (max_bytes + 1).saturating_sub(message.len());
            message.reserve_exact(message.len().max(FIRST_RESERVE_BYTES).min(most));
        }
        let before = inflater.total_in();
        let status = inflater
            .decompress_vec(input, message, FlushDecompress::Sync)
            .map_err(|_| Violation::InvalidCompression)?;
        let taken = usize::try_from(inflater.total_in() - before).unwrap_or(input.len());
        input = &input[taken..];
        if message.len() > max_bytes {
            return Err(DecodeError::MessageTooBig);
        }
        if status == Status::StreamEnd {
            // A final block, then at most the empty block that carries it (section 7.2.3.4).
            return match input {
                [] | [0] => Ok(true),
                _ => Err(Violation::InvalidCompression.into()),
            };
        }
        if message.len() < message.capacity() {
            return if input.is_empty() {
                Ok(false)
            } else {
                Err(Violation::InvalidCompression.into())
            };
        }
    }
}

/// Appends the compressed form of a payload; false if that is no shorter, and
/// then the output is of no use.
pub(crate) fn deflate(payload: &[u8], output: &mut Vec<u8>) -> bool {
    DEFLATER.with_borrow_mut(|deflater| {
        deflater.reset();
        let start = output.len();
        output.reserve_exact(payload.len());
        let done = deflater.compress_vec(payload, output, FlushCompress::Sync);
        // The flush is complete only if it has left room.
        if done.is_err() || output.len() == output.capacity() || !output[start..].ends_with(&TAIL) {
            return false;
        }
        output.truncate(output.len() - TAIL.len());
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100_000;

    fn deflated(payload: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        assert!(deflate(payload, &mut output), "{} bytes", payload.len());
        output
    }

    #[test]
    fn the_examples_of_the_rfc_are_inflated() {
        // Section 7.2.3: one block, the same again without and with compression, two blocks, a final block.
        for compressed in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        ] {
            assert_eq!(inflate(compressed, LIMIT), Ok(b"Hello".to_vec()));
        }
        assert_eq!(inflate(&[0x00], LIMIT), Ok(Vec::new()));
    }

    #[test]
    fn a_message_may_be_as_long_as_allowed_and_no_longer() {
        let message = vec![b'x'; LIMIT];
        let compressed = deflated(&message);
        assert_eq!(inflate(&compressed, LIMIT), Ok(message));
        assert_eq!(
            inflate(&compressed, LIMIT - 1),
            Err(DecodeError::MessageTooBig)
        );
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        let bomb = deflated(&vec![0; 10_000_000]);
        assert!(bomb.len() < 20_000);
        let mut message = Vec::new();
        let mut inflater = Decompress::new(false);
        let outcome = inflate_part(&mut inflater, &bomb, &mut message, LIMIT);
        assert_eq!(outcome, Err(DecodeError::MessageTooBig));
        assert!(message.capacity() <= LIMIT + 1, "{}", message.capacity());
    }

    #[test]
    fn damaged_messages_are_refused_and_harm_no_other() {
        let message = b"the quick brown fox, the quick brown fox".repeat(9);
        let compressed = deflated(&message);
        let broken = Err(Violation::InvalidCompression.into());
        assert_eq!(inflate(b"\xff\xff\xff", LIMIT), broken);
        // A final block must be the last.
        let two = [&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..], &compressed].concat();
        assert_eq!(inflate(&two, LIMIT), broken);
        assert_eq!(inflate(&compressed, LIMIT), Ok(message));
    }

    /// The inflater is shared by all connections of a thread: a message that refers
    /// back beyond its start must not get what somebody else has sent.
    #[test]
    fn no_message_can_look_into_the_one_before() {
        let secret = b"a secret of somebody else, sixty bytes long, give or take".to_vec();
        let mut both = Vec::new();
        let mut deflater = Compress::new(Compression::best(), false);
        for _ in 0..2 {
            both.reserve(200);
            deflater
                .compress_vec(&secret, &mut both, FlushCompress::Sync)
                .expect("room");
        }
        let first = deflater_output_bytes(&secret);
        // The second half repeats the first by reference alone.
        assert!(both.len() - first < 20);
        assert_eq!(inflate(&both[..first], LIMIT), Ok(secret));
        assert_eq!(
            inflate(&both[first..], LIMIT),
            Err(Violation::InvalidCompression.into())
        );
    }

    fn deflater_output_bytes(payload: &[u8]) -> usize {
        let mut output = Vec::with_capacity(200);
        Compress::new(Compression::best(), false)
            .compress_vec(payload, &mut output, FlushCompress::Sync)
            .expect("room");
        output.len()
    }

    #[test]
    fn what_does_not_get_shorter_is_not_compressed() {
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(2000)
        .collect();
        assert!(!deflate(&noise, &mut Vec::new()));
        assert!(!deflate(b"", &mut Vec::new()));
    }
}
