//! One WebSocket of the client: the handshake, whole frames in, whole frames out.
//!
//! Events are edge-triggered: a socket is read until a read does not fill the
//! buffer, and written until a write is short.

use std::borrow::Cow;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::error::BenchError;
use crate::frame::{self, Opcode};
use crate::handshake;
use crate::plan::{Dialect, Peer};
use crate::{signalling, socket_io};

/// 1000, "normal closure".
const NORMAL_CLOSURE: [u8; 2] = 1000_u16.to_be_bytes();

/// What happens to the sockets of a network.
pub(crate) trait Handler {
    /// A socket is open: the upgrade was accepted.
    fn on_upgrade(&mut self, socket: usize);
    /// A text came, received at `at`.
    fn on_text(&mut self, socket: usize, text: &[u8], at: Instant);
    /// A socket was closed by the other side.
    fn on_end(&mut self, socket: usize, reason: String);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Upgrading,
    Open,
    Ended,
}

#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    state: State,
    dialect: Dialect,
    peer: Option<Peer>,
    /// The start of a frame whose rest has not come.
    unfinished: Vec<u8>,
    /// What the stream has not taken.
    outgoing: Vec<u8>,
}

impl Socket {
    /// Starts to connect; the upgrade follows by itself.
    pub(crate) fn connect(
        registry: &Registry,
        token: Token,
        address: SocketAddr,
        path: &str,
        dialect: Dialect,
    ) -> Result<Self, BenchError> {
        let mut stream = TcpStream::connect(address)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token, both)?;
        Ok(Self {
            stream,
            state: State::Connecting,
            dialect,
            peer: None,
            unfinished: Vec::new(),
            outgoing: handshake::request(&address.to_string(), path).into_bytes(),
        })
    }

    /// Says whom it is in a call with, or will be.
    pub(crate) fn set_peer(&mut self, peer: Option<Peer>) {
        self.peer = peer;
    }

    /// Queues a text; [`Socket::flush`] sends it.
    pub(crate) fn queue_text(&mut self, write_text: impl FnOnce(&mut Vec<u8>)) {
        frame::append(&mut self.outgoing, Opcode::Text, write_text);
    }

    /// Queues a message, in the form of the dialect.
    pub(crate) fn queue_message(&mut self, write_message: impl FnOnce(&mut Vec<u8>)) {
        match self.dialect {
            Dialect::Plain => self.queue_text(write_message),
            Dialect::SocketIo => self.queue_text(|out| socket_io::append_event(out, write_message)),
            Dialect::Signalling => {
                let peer = self.peer.as_ref();
                frame::append(&mut self.outgoing, Opcode::Text, |out| {
                    signalling::append_event(out, peer, write_message);
                });
            }
        }
    }

    /// Queues the start of the closing handshake.
    pub(crate) fn queue_close(&mut self) {
        frame::append(&mut self.outgoing, Opcode::Close, |out| {
            out.extend(NORMAL_CLOSURE);
        });
    }

    /// Writes what is queued, as far as the stream takes it.
    pub(crate) fn flush(&mut self) -> Result<(), BenchError> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.outgoing) {
            Ok(written) if written == self.outgoing.len() => self.outgoing.clear(),
            Ok(written) => drop(self.outgoing.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Does what an event asks for; `buffer` is shared by all sockets.
    pub(crate) fn on_event(
        &mut self,
        index: usize,
        event: &Event,
        buffer: &mut [u8],
        handler: &mut impl Handler,
    ) {
        if self.state == State::Ended {
            return;
        }
        if let Err(error) = self.try_on_event(index, event, buffer, handler) {
            self.end(index, error.to_string(), handler);
        }
    }

    fn try_on_event(
        &mut self,
        index: usize,
        event: &Event,
        buffer: &mut [u8],
        handler: &mut impl Handler,
    ) -> Result<(), BenchError> {
        if self.state == State::Connecting {
            if let Some(error) = self.stream.take_error()? {
                return Err(error.into());
            }
            if !event.is_writable() {
                return Ok(());
            }
            self.stream.set_nodelay(true)?;
            self.state = State::Upgrading;
        }
        if event.is_readable() || event.is_read_closed() {
            self.read(index, event.is_read_closed(), buffer, handler)?;
        }
        self.flush()
    }

    fn read(
        &mut self,
        index: usize,
        until_end: bool,
        buffer: &mut [u8],
        handler: &mut impl Handler,
    ) -> Result<(), BenchError> {
        while self.state != State::Ended {
            let kept = self.unfinished.len();
            let space = buffer.len() - kept;
            let read = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) if space > 0 => {
                    self.end(index, "end of the stream".to_owned(), handler);
                    return Ok(());
                }
                Ok(0) => return Err(BenchError::Answer("a frame that is too long".to_owned())),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let at = Instant::now();
            buffer[..kept].copy_from_slice(&self.unfinished);
            self.unfinished.clear();
            let bytes = &buffer[..kept + read];
            let taken = self.take(index, bytes, at, handler)?;
            self.unfinished.extend_from_slice(&bytes[taken..]);
            // A short read has emptied the stream (epoll(7)), but its end is
            // only seen by reading on.
            if read < space && !until_end {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Handles everything that is complete and says how many bytes that was.
    fn take(
        &mut self,
        index: usize,
        bytes: &[u8],
        at: Instant,
        handler: &mut impl Handler,
    ) -> Result<usize, BenchError> {
        let mut taken = 0;
        if self.state == State::Upgrading {
            let Some(length) = handshake::parse_answer(bytes)? else {
                return Ok(0);
            };
            taken = length;
            self.state = State::Open;
            handler.on_upgrade(index);
        }
        while let Some(frame) = frame::parse(&bytes[taken..])? {
            let payload = &bytes[taken..][frame.payload.clone()];
            taken += frame.payload.end;
            match frame.opcode {
                Opcode::Text => {
                    let answer = match self.dialect {
                        Dialect::Plain => None,
                        Dialect::SocketIo => socket_io::answer(payload).map(Cow::Borrowed),
                        Dialect::Signalling => signalling::answer(payload, self.peer.as_ref()),
                    };
                    match answer {
                        Some(answer) => frame::append(&mut self.outgoing, Opcode::Text, |out| {
                            out.extend_from_slice(&answer);
                        }),
                        None => handler.on_text(index, payload, at),
                    }
                }
                Opcode::Ping => frame::append(&mut self.outgoing, Opcode::Pong, |out| {
                    out.extend_from_slice(payload);
                }),
                Opcode::Close => {
                    let (code, reason) = payload.split_at(payload.len().min(2));
                    let code = code.try_into().map_or(1005, u16::from_be_bytes);
                    let reason = String::from_utf8_lossy(reason);
                    self.end(index, format!("closed with {code} {reason}"), handler);
                    break;
                }
                Opcode::Pong | Opcode::Continuation => {}
            }
        }
        Ok(taken)
    }

    fn end(&mut self, index: usize, reason: String, handler: &mut impl Handler) {
        self.state = State::Ended;
        handler.on_end(index, reason);
    }
}
