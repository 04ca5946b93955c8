//! Turns a client's bytes into events.
//!
//! The bytes come in whatever pieces the socket gives. A message that lies whole
//! in one piece is unmasked where it is and copied once, into its event; one that
//! does not is gathered, checked as it comes, and its memory goes with the event.

use crate::close::{self, CloseFrame};
use crate::error::{DecodeError, Violation};
use crate::header::{Frame, MAX_HEADER_BYTES, Opcode, Start};
use crate::mask::Mask;
use crate::message::{Message, PartialText};

/// Something a client has said completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// Nothing that follows is decoded.
    Close(Option<CloseFrame>),
}

/// The reading end of one connection.
#[derive(Debug)]
pub struct Decoder {
    max_message_bytes: usize,
    message: Option<Box<Message>>,
    frame: Option<Frame>,
    /// Payload of a control frame that came in pieces.
    control: Vec<u8>,
    /// A header that is not complete yet.
    header: [u8; MAX_HEADER_BYTES],
    header_bytes: u8,
    ended: bool,
}

impl Decoder {
    /// A decoder for a new connection. `max_message_bytes` holds for a frame as
    /// for a message.
    pub fn new(max_message_bytes: usize) -> Self {
        Self {
            max_message_bytes,
            message: None,
            frame: None,
            control: Vec::new(),
            header: [0; MAX_HEADER_BYTES],
            header_bytes: 0,
            ended: false,
        }
    }

    /// Decodes the next bytes, which are unmasked where they are, and appends what
    /// they complete to `events`. Gives the number of frames that began.
    ///
    /// # Errors
    /// Why the connection must end; `events` has what was complete before. As
    /// after a close frame, whatever follows is ignored.
    pub fn decode(
        &mut self,
        input: &mut [u8],
        events: &mut Vec<Event>,
    ) -> Result<usize, DecodeError> {
        let decoded = self.decode_frames(input, events);
        if decoded.is_err() {
            self.ended = true;
        }
        decoded
    }

    fn decode_frames(
        &mut self,
        mut input: &mut [u8],
        events: &mut Vec<Event>,
    ) -> Result<usize, DecodeError> {
        let mut begun = 0;
        while !self.ended {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => {
                    let Some(frame) = self.take_header(&mut input)? else {
                        break;
                    };
                    begun += 1;
                    frame
                }
            };
            let (payload, rest) = input.split_at_mut(frame.remaining.min(input.len()));
            input = rest;
            frame.mask.apply(payload);
            frame.remaining -= payload.len();
            if frame.opcode.is_control() {
                self.take_control(&frame, payload, events)?;
            } else {
                self.take_data(&frame, payload, events)?;
            }
            if frame.remaining > 0 {
                self.frame = Some(frame);
                break;
            }
        }
        Ok(begun)
    }

    /// Takes the next header off the input; none if it is not complete yet.
    fn take_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, DecodeError> {
        let kept = usize::from(self.header_bytes);
        if kept == 0
            && let Some((frame, length)) = self.parse_header(input)?
        {
            *input = &mut std::mem::take(input)[length..];
            return Ok(Some(frame));
        }
        // The header is cut: it is put together in its own place.
        let added = input.len().min(MAX_HEADER_BYTES - kept);
        self.header[kept..kept + added].copy_from_slice(&input[..added]);
        let parsed = self.parse_header(&self.header[..kept + added])?;
        let (frame, taken, kept) = match parsed {
            Some((frame, length)) => (Some(frame), length - kept, 0),
            None => (None, added, kept + added),
        };
        self.header_bytes = u8::try_from(kept).unwrap_or(0);
        *input = &mut std::mem::take(input)[taken..];
        Ok(frame)
    }

    /// Judges a header as far as it is there; if it is complete, gives the frame
    /// and the header's length.
    fn parse_header(&self, bytes: &[u8]) -> Result<Option<(Frame, usize)>, DecodeError> {
        let Some((start, rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let start = Start::parse(*start)?;
        match (start.opcode, &self.message) {
            (Opcode::Continuation, None) => return Err(Violation::NothingToContinue.into()),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::UnfinishedMessage.into());
            }
            _ => {}
        }
        let Some((length, rest)) = start.length(rest)? else {
            return Ok(None);
        };
        let before = self.message.as_ref().map_or(0, |message| message.len());
        let allowed = self.max_message_bytes.saturating_sub(before);
        let remaining = usize::try_from(length).map_err(|_| DecodeError::MessageTooBig)?;
        if !start.opcode.is_control() && remaining > allowed {
            return Err(DecodeError::MessageTooBig);
        }
        let Some((key, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let frame = Frame {
            opcode: start.opcode,
            is_final: start.is_final,
            mask: Mask::new(*key),
            remaining,
        };
        Ok(Some((frame, bytes.len() - rest.len())))
    }

    fn take_data(
        &mut self,
        frame: &Frame,
        payload: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let is_last = frame.is_final && frame.remaining == 0;
        if self.message.is_none() && is_last {
            events.push(whole_message(frame.opcode, payload)?);
            return Ok(());
        }
        let message = self.message.get_or_insert_with(|| {
            Box::new(match frame.opcode {
                Opcode::Text => Message::Text(PartialText::default()),
                _ => Message::Binary(Vec::new()),
            })
        });
        message.push(payload, frame.remaining)?;
        if is_last && let Some(message) = self.message.take() {
            events.push(message.finish()?);
        }
        Ok(())
    }

    fn take_control(
        &mut self,
        frame: &Frame,
        payload: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        self.control.extend_from_slice(payload);
        if frame.remaining > 0 {
            return Ok(());
        }
        let payload = std::mem::take(&mut self.control);
        events.push(match frame.opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => {
                self.ended = true;
                Event::Close(close::parse(&payload)?)
            }
        });
        Ok(())
    }
}

fn whole_message(opcode: Opcode, payload: &[u8]) -> Result<Event, DecodeError> {
    Ok(match opcode {
        Opcode::Text => {
            let text = std::str::from_utf8(payload).map_err(|_| DecodeError::InvalidUtf8)?;
            Event::Text(text.to_owned())
        }
        _ => Event::Binary(payload.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_decoder_is_small_and_owns_nothing() {
        assert!(size_of::<Decoder>() <= 96, "{}", size_of::<Decoder>());
        let mut decoder = Decoder::new(1000);
        let mut events = Vec::new();
        // A text in two fragments and a ping between, with a key of zeros, byte by byte.
        let said = b"\x01\x81\0\0\0\0a\x89\x81\0\0\0\0p\x80\x81\0\0\0\0b";
        for byte in said {
            decoder
                .decode(&mut [*byte], &mut events)
                .expect("well formed");
        }
        assert_eq!(
            events,
            [Event::Ping(b"p".to_vec()), Event::Text("ab".into())]
        );
        assert!(decoder.message.is_none());
        assert_eq!(decoder.control.capacity(), 0);
    }
}
