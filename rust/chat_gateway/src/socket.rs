//! Reads a connection's socket and hands on what the client says.
//!
//! Bytes are read into a buffer that all connections of the thread share and are
//! decoded before anything waits, so that an idle connection has no buffer. The
//! answers to pings and to the close frame go into the connection's outbox, which
//! stays the only writer of the socket.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use chat_hub::{Connection, DisconnectReason, Heartbeat};
use chat_websocket::{
    DecodeError, Decoder, DecoderConfig, Event, append_close_answer, append_pong,
};
use tokio::time::Instant;

use crate::frame_budget::{self, FrameBudget};
use crate::session::Session;

/// Bytes read at once; also bounds what a connection hands on before it reads again.
const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Reads after which other connections of the thread get a turn, even if more is there.
const READS_PER_TURN: u32 = 4;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER_BYTES].into());
}

/// What a session does with the messages of its client.
pub trait MessageHandler {
    /// Handles a text message. The next one waits until it is done.
    fn on_text(&mut self, text: String) -> impl Future<Output = ()>;

    /// Handles a binary message.
    fn on_binary(&mut self, payload: Vec<u8>) -> impl Future<Output = ()>;
}

/// Where a session gets its messages from.
#[derive(Debug)]
pub struct SocketInput {
    /// What the client sent behind its upgrade request.
    pub leftover: Vec<u8>,
    pub decoder: Decoder,
    pub budget: FrameBudget,
}

/// How a dialect reads its sockets, without compression.
#[derive(Clone, Copy, Debug)]
pub struct SocketTerms {
    pub max_message_bytes: usize,
    /// Of any kind, that one client may send in the long run.
    pub max_frames_per_second: u32,
    /// None where what the dialect itself says is the sign of life.
    pub heartbeat: Option<Heartbeat>,
}

impl SocketTerms {
    /// A socket whose client has sent `leftover` behind its upgrade request.
    pub fn input(&self, leftover: Vec<u8>) -> SocketInput {
        SocketInput {
            leftover,
            decoder: Decoder::new(DecoderConfig {
                max_message_bytes: self.max_message_bytes,
                deflate: false,
            }),
            budget: self.budget(),
        }
    }

    /// What a client may send.
    pub fn budget(&self) -> FrameBudget {
        FrameBudget::new(self.max_frames_per_second)
    }
}

impl SocketInput {
    fn decode_leftover(&mut self) -> Received {
        Received::decode(&mut self.decoder, &mut std::mem::take(&mut self.leftover))
    }
}

/// Serves a socket until it has ended.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn would keep its arguments twice"
)]
pub(crate) fn run(
    connection: Rc<Connection>,
    mut session: Session,
    mut input: SocketInput,
) -> impl Future<Output = ()> {
    async move {
        let reason = receive(&connection, &mut session, &mut input).await;
        connection.disconnect(reason);
        // In memory of its own, so that the long life before does not pay for it.
        Box::pin(connection.finish()).await;
    }
}

/// Handles what comes until the connection ends, and says why it did.
pub async fn receive(
    connection: &Rc<Connection>,
    session: &mut impl MessageHandler,
    input: &mut SocketInput,
) -> DisconnectReason {
    let mut received: io::Result<_> = Ok(input.decode_leftover());
    let mut reads_left = READS_PER_TURN;
    while connection.is_open() {
        match received {
            Ok(received) => {
                let frames = received.frames;
                if received.has_work() {
                    // In memory of its own, like the end.
                    let handled = Box::pin(handle(connection, session, received)).await;
                    if let Err(reason) = handled {
                        return reason;
                    }
                }
                // A read costs something even if it brought only a byte of a frame.
                if let Some(read_again) = input.budget.charge(frames.max(1), Instant::now()) {
                    Box::pin(frame_budget::pause(connection, read_again)).await;
                }
                reads_left -= 1;
                if reads_left == 0 {
                    reads_left = READS_PER_TURN;
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                reads_left = READS_PER_TURN;
                tokio::select! {
                    readable = connection.readable() => if readable.is_err() {
                        return DisconnectReason::ConnectionLost;
                    },
                    () = connection.closing() => {}
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return DisconnectReason::ConnectionLost,
        }
        received = read(connection, &mut input.decoder);
    }
    // Already ended by the shard: this reason is not the first, so it does not count.
    DisconnectReason::ConnectionLost
}

/// Reads once and decodes what there is.
fn read(connection: &Connection, decoder: &mut Decoder) -> io::Result<Received> {
    READ_BUFFER.with_borrow_mut(|buffer| match connection.try_read(buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        bytes => Ok(Received::decode(decoder, &mut buffer[..bytes])),
    })
}

/// What one read has completed.
struct Received {
    events: Vec<Event>,
    error: Option<DecodeError>,
    /// Frames that began.
    frames: usize,
}

impl Received {
    fn decode(decoder: &mut Decoder, input: &mut [u8]) -> Self {
        let mut events = Vec::new();
        let (frames, error) = match decoder.decode(input, &mut events) {
            Ok(frames) => (frames, None),
            Err(error) => (0, Some(error)),
        };
        Self {
            events,
            error,
            frames,
        }
    }

    fn has_work(&self) -> bool {
        !self.events.is_empty() || self.error.is_some()
    }
}

/// Handles events in order. Pings are answered before anything waits, together.
///
/// # Errors
/// Why the connection must end.
async fn handle(
    connection: &Rc<Connection>,
    session: &mut impl MessageHandler,
    received: Received,
) -> Result<(), DisconnectReason> {
    let mut answers = Vec::new();
    for event in &received.events {
        match event {
            Event::Ping(payload) => append_pong(&mut answers, payload),
            Event::Pong(_) => connection.pong_received(),
            Event::Text(_) | Event::Binary(_) | Event::Close(_) => {}
        }
    }
    for event in received.events {
        match event {
            Event::Text(text) => {
                send(connection, &mut answers);
                session.on_text(text).await;
            }
            Event::Binary(payload) => {
                send(connection, &mut answers);
                session.on_binary(payload).await;
            }
            Event::Close(close) => {
                append_close_answer(&mut answers, close.as_ref());
                send(connection, &mut answers);
                return Err(DisconnectReason::ClientClosed);
            }
            Event::Ping(_) | Event::Pong(_) => {}
        }
        if !connection.is_open() {
            return Ok(());
        }
    }
    send(connection, &mut answers);
    received
        .error
        .map_or(Ok(()), |error| Err(end_reason(error)))
}

fn send(connection: &Rc<Connection>, answers: &mut Vec<u8>) {
    if !answers.is_empty() {
        connection.send_control(answers);
        answers.clear();
    }
}

fn end_reason(error: DecodeError) -> DisconnectReason {
    match error {
        DecodeError::Protocol(violation) => {
            tracing::debug!(%violation, "a client broke the WebSocket protocol");
            DisconnectReason::ProtocolError
        }
        DecodeError::InvalidUtf8 => DisconnectReason::InvalidPayload,
        DecodeError::MessageTooBig => DisconnectReason::MessageTooBig,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Each idle socket has one of these.
    #[test]
    fn the_future_of_a_session_is_small() {
        let bytes = future_bytes(run);
        assert!(bytes <= 768, "{bytes}");
    }
}
