//! The size of a JPEG, found while the file streams by: it stands behind any
//! number of segments (profiles, previews, text) that may be megabytes long.

use super::dimensions::Dimensions;

/// How far the walk through the segments has come (ITU T.81, annex B).
#[derive(Clone, Copy, Debug)]
enum State {
    /// At the 0xFF of the next marker, or at fill bytes.
    Marker,
    Code,
    Length {
        code: u8,
        high: Option<u8>,
    },
    Skip {
        left: usize,
    },
    /// Precision, height, width of a frame header.
    Frame {
        read: usize,
        sides: [u8; 5],
    },
    /// Found, or the image data began without a header.
    Done,
}

/// Reads the size from the frame header.
#[derive(Debug)]
pub(super) struct JpegHeader {
    state: State,
}

impl Default for JpegHeader {
    fn default() -> Self {
        Self {
            state: State::Marker,
        }
    }
}

impl JpegHeader {
    /// Walks on through the next bytes; gives the size when it comes by.
    pub(super) fn feed(&mut self, mut chunk: &[u8]) -> Option<Dimensions> {
        while !matches!(self.state, State::Done) {
            if let State::Skip { left } = &mut self.state {
                let skipped = (*left).min(chunk.len());
                chunk = &chunk[skipped..];
                *left -= skipped;
                if *left > 0 {
                    return None;
                }
                self.state = State::Marker;
            }
            let (&byte, rest) = chunk.split_first()?;
            chunk = rest;
            self.state = next(self.state, byte);
            if let State::Frame { read: 5, sides } = self.state {
                self.state = State::Done;
                return Some(Dimensions {
                    width: u16::from_be_bytes([sides[3], sides[4]]).into(),
                    height: u16::from_be_bytes([sides[1], sides[2]]).into(),
                });
            }
        }
        None
    }
}

fn next(state: State, byte: u8) -> State {
    match state {
        State::Marker if byte == 0xff => State::Code,
        // Not at a marker: decoders skip such bytes too.
        State::Marker => State::Marker,
        State::Code => match byte {
            0xff => State::Code,
            // Start of the scan or end of the image without a frame header.
            0xd9 | 0xda => State::Done,
            // Markers without a segment.
            0x00 | 0x01 | 0xd0..=0xd8 => State::Marker,
            code => State::Length { code, high: None },
        },
        State::Length { code, high: None } => State::Length {
            code,
            high: Some(byte),
        },
        State::Length {
            code,
            high: Some(high),
        } => {
            let length = usize::from(u16::from_be_bytes([high, byte]));
            match code {
                // Frame headers; c4, c8 and cc are other segments.
                0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => State::Frame {
                    read: 0,
                    sides: [0; 5],
                },
                _ => State::Skip {
                    left: length.saturating_sub(2),
                },
            }
        }
        State::Frame { read, mut sides } => {
            sides[read] = byte;
            State::Frame {
                read: read + 1,
                sides,
            }
        }
        State::Skip { .. } | State::Done => state,
    }
}
