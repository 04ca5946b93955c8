//! Turns a client's bytes into events.
//!
//! The bytes come in whatever pieces the socket gives. A message that lies whole
//! in one piece is unmasked where it is and copied once, into its event; one that
//! does not is gathered, checked as it comes, and its memory goes with the event.

use crate::close;
use crate::error::{DecodeError, Violation};
use crate::event::Event;
use crate::header::{Frame, MAX_HEADER_BYTES, Opcode, Start};
use crate::mask::Mask;
use crate::message::{Message, finish_whole};

/// What a connection allows.
#[derive(Clone, Copy, Debug)]
pub struct DecoderConfig {
    /// Holds for a frame as for a message, and for a compressed one also inflated.
    pub max_message_bytes: usize,
    /// Whether permessage-deflate was negotiated (see [`crate::accept_deflate`]).
    pub deflate: bool,
}

/// Inflated bytes that count like a frame: they cost the client nothing to send.
const INFLATED_BYTES_PER_FRAME: usize = 4096;

/// The reading end of one connection.
#[derive(Debug)]
pub struct Decoder {
    config: DecoderConfig,
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
    /// A decoder for a new connection.
    pub fn new(config: DecoderConfig) -> Self {
        Self {
            config,
            message: None,
            frame: None,
            control: Vec::new(),
            header: [0; MAX_HEADER_BYTES],
            header_bytes: 0,
            ended: false,
        }
    }

    /// Decodes the next bytes, which are unmasked where they are, and appends what
    /// they complete to `events`. Gives the number of frames that began, for a limit
    /// on their rate; an inflated message counts as more the longer it has become.
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
                let inflated_bytes = self.take_data(&frame, payload, events)?;
                begun += inflated_bytes / INFLATED_BYTES_PER_FRAME;
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
        let start = Start::parse(*start, self.config.deflate)?;
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
        let allowed = self.config.max_message_bytes.saturating_sub(before);
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
            is_compressed: start.is_compressed,
            mask: Mask::new(*key),
            remaining,
        };
        Ok(Some((frame, bytes.len() - rest.len())))
    }

    /// Gives how long the message has become by inflating, if it is complete.
    fn take_data(
        &mut self,
        frame: &Frame,
        payload: &[u8],
        events: &mut Vec<Event>,
    ) -> Result<usize, DecodeError> {
        let max_bytes = self.config.max_message_bytes;
        let is_last = frame.is_final && frame.remaining == 0;
        let finished = match self.message.take() {
            None if is_last => finish_whole(frame, payload, max_bytes)?,
            message => {
                let mut message = message.unwrap_or_else(|| Box::new(Message::new(frame)));
                let may_follow = if frame.is_final {
                    frame.remaining
                } else {
                    max_bytes
                };
                message.push(payload, may_follow)?;
                if !is_last {
                    self.message = Some(message);
                    return Ok(0);
                }
                message.finish(max_bytes)?
            }
        };
        events.push(finished.event);
        Ok(finished.inflated_bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_decoder_is_small_and_owns_nothing() {
        assert!(size_of::<Decoder>() <= 96, "{}", size_of::<Decoder>());
        let mut decoder = Decoder::new(DecoderConfig {
            max_message_bytes: 1000,
            deflate: true,
        });
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
