//! Frame headers of a client (RFC 6455, section 5.2).

use crate::error::Violation;
use crate::mask::Mask;

/// Two bytes, a 64-bit length and the masking key.
pub(crate) const MAX_HEADER_BYTES: usize = 14;
/// The first frame of a compressed message has this bit (RFC 7692, section 6).
pub(crate) const COMPRESSED: u8 = 0b0100_0000;
const RESERVED: u8 = 0b0011_0000;
/// The longest payload of a control frame.
pub(crate) const MAX_CONTROL_BYTES: usize = 125;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }
}

/// The first two bytes: enough to refuse most of what is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) opcode: Opcode,
    pub(crate) is_final: bool,
    pub(crate) is_compressed: bool,
    short_length: u8,
}

impl Start {
    /// `deflate`: whether messages may be compressed.
    pub(crate) fn parse([first, second]: [u8; 2], deflate: bool) -> Result<Self, Violation> {
        let is_compressed = first & COMPRESSED != 0;
        if first & RESERVED != 0 || (is_compressed && !deflate) {
            return Err(Violation::ReservedBit);
        }
        if second & 0b1000_0000 == 0 {
            return Err(Violation::NotMasked);
        }
        let start = Self {
            opcode: Opcode::from_bits(first & 0x0F).ok_or(Violation::ReservedOpcode)?,
            is_final: first & 0b1000_0000 != 0,
            is_compressed,
            short_length: second & 0b0111_1111,
        };
        if is_compressed && !matches!(start.opcode, Opcode::Text | Opcode::Binary) {
            return Err(Violation::ReservedBit);
        }
        if start.opcode.is_control() {
            if !start.is_final {
                return Err(Violation::FragmentedControl);
            }
            if usize::from(start.short_length) > MAX_CONTROL_BYTES {
                return Err(Violation::LongControl);
            }
        }
        Ok(start)
    }

    /// The payload's length and what follows it; none if `rest`, the bytes behind
    /// the start, is too short.
    pub(crate) fn length(self, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
        Ok(match self.short_length {
            126 => rest
                .split_first_chunk()
                .map(|(length, rest)| (u16::from_be_bytes(*length).into(), rest)),
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => match u64::from_be_bytes(*length) {
                    length if length >> 63 == 0 => Some((length, rest)),
                    _ => return Err(Violation::InvalidLength),
                },
                None => None,
            },
            length => Some((length.into(), rest)),
        })
    }
}

/// A frame whose payload is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) opcode: Opcode,
    pub(crate) is_final: bool,
    pub(crate) is_compressed: bool,
    pub(crate) mask: Mask,
    /// Bytes of the payload that are still to come.
    pub(crate) remaining: usize,
}
