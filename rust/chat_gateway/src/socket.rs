//! Drives the WebSocket codec over a connection's socket.
//!
//! tungstenite decodes and checks (masking, fragments, UTF-8, limits) and makes
//! the answers to pings and closes. Its writes go into the connection's outbox,
//! which stays the only writer of the socket.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use chat_hub::{Connection, DisconnectReason};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

use crate::session::Session;

/// Bytes read at once, and kept per connection.
const READ_BUFFER_BYTES: usize = 2048;
/// Reads after which other connections of the thread get a turn, even if more is there.
const READS_PER_TURN: u32 = 16;

/// Serves a socket until it has ended.
pub(crate) async fn run(
    connection: Rc<Connection>,
    session: Session,
    leftover: Vec<u8>,
    max_frame_bytes: usize,
) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(max_frame_bytes))
        .max_frame_size(Some(max_frame_bytes));
    let io = CodecIo {
        connection: Rc::clone(&connection),
        reads_left: Cell::new(READS_PER_TURN),
    };
    let mut socket = WebSocket::from_partially_read(io, leftover, Role::Server, Some(config));
    let reason = receive(&connection, &session, &mut socket).await;
    drop(socket);
    connection.disconnect(reason);
    connection.finish().await;
}

/// Handles frames until the connection ends, and says why it did.
async fn receive(
    connection: &Rc<Connection>,
    session: &Session,
    socket: &mut WebSocket<CodecIo>,
) -> DisconnectReason {
    while connection.is_open() {
        match socket.read() {
            Ok(Message::Text(text)) => session.on_text(text.as_str()).await,
            Ok(Message::Binary(_)) => session.on_binary().await,
            Ok(Message::Pong(_)) => connection.pong_received(),
            // The codec has the answer ready and writes it with the next read.
            Ok(Message::Ping(_) | Message::Close(_) | Message::Frame(_)) => {}
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                if socket.get_ref().start_turn() {
                    tokio::task::yield_now().await;
                    continue;
                }
                tokio::select! {
                    readable = connection.readable() => if readable.is_err() {
                        return DisconnectReason::ConnectionLost;
                    },
                    () = connection.closing() => {}
                }
            }
            Err(error) => return end_reason(&error),
        }
    }
    // Already ended by the shard: this reason is not the first, so it does not count.
    DisconnectReason::ConnectionLost
}

fn end_reason(error: &Error) -> DisconnectReason {
    match error {
        Error::ConnectionClosed => DisconnectReason::ClientClosed,
        Error::Capacity(_) => DisconnectReason::MessageTooBig,
        Error::Utf8(_) => DisconnectReason::InvalidPayload,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            DisconnectReason::ConnectionLost
        }
        Error::Protocol(_) => DisconnectReason::ProtocolError,
        _ => DisconnectReason::ConnectionLost,
    }
}

/// The codec's view of a connection.
struct CodecIo {
    connection: Rc<Connection>,
    /// Counts down; a flood of tiny frames must not keep the thread from others.
    reads_left: Cell<u32>,
}

impl CodecIo {
    /// Starts a new turn; true if the last one ended because its reads were used up.
    fn start_turn(&self) -> bool {
        self.reads_left.replace(READS_PER_TURN) == 0
    }
}

impl Read for CodecIo {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(reads_left) = self.reads_left.get().checked_sub(1) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        self.reads_left.set(reads_left);
        self.connection.try_read(buffer)
    }
}

impl Write for CodecIo {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.connection.send_control(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
