//! A WebSocket that wants to take over from polling (Engine.IO protocol 4,
//! "Upgrade"): the client sends `2probe`, gets `3probe`, and says `5` once its
//! last GET has come back.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use chat_gateway::{BridgeFrame, SocketInput};
use chat_hub::{BridgeOutput, Stream, StreamSource};
use chat_protocol::EncodedFrame;
use chat_websocket::{Event, append_pong, encode_close};
use engineioxide_core::{Packet, ProtocolVersion};
use tokio::sync::mpsc;

/// A WebSocket on either transport, and what it has said that is not handled yet.
#[derive(Debug)]
pub(crate) enum Candidate {
    /// Before it is registered with the runtime of its shard; `preamble` is the
    /// handshake's answer.
    New {
        source: StreamSource,
        preamble: Bytes,
        input: Box<SocketInput>,
    },
    Socket {
        stream: Stream,
        input: Box<SocketInput>,
        events: Vec<Event>,
    },
    Bridge {
        output: Arc<BridgeOutput>,
        frames: mpsc::Receiver<BridgeFrame>,
    },
}

/// Probes a WebSocket; gives it back when it may take over.
///
/// # Errors
/// If it did not say what it should, or is gone.
pub(crate) async fn probe(candidate: Candidate) -> io::Result<Candidate> {
    match candidate {
        Candidate::New {
            source,
            preamble,
            input,
        } => {
            let stream = source.register()?;
            stream.write_all(&preamble).await?;
            match probe_socket(stream, input).await {
                Ok(probed) => Ok(probed),
                Err((stream, error)) => {
                    stream.write_all(&encode_close(1000, "")).await?;
                    Err(error)
                }
            }
        }
        Candidate::Bridge { output, frames } => probe_bridge(output, frames).await,
        Candidate::Socket { .. } => Err(io::ErrorKind::InvalidInput.into()),
    }
}

async fn probe_socket(
    stream: Stream,
    mut input: Box<SocketInput>,
) -> Result<Candidate, (Stream, io::Error)> {
    let mut buffer = std::mem::take(&mut input.leftover);
    let mut is_probed = false;
    loop {
        let mut events = Vec::new();
        if input.decoder.decode(&mut buffer, &mut events).is_err() {
            return Err((stream, io::ErrorKind::InvalidData.into()));
        }
        let mut events = events.into_iter();
        while let Some(event) = events.next() {
            let mut answer = Vec::new();
            match (event, is_probed) {
                (Event::Ping(payload), _) => append_pong(&mut answer, &payload),
                (Event::Pong(_), _) => {}
                (Event::Text(text), false) if text == "2probe" => {
                    is_probed = true;
                    answer.extend_from_slice(probe_answer().wire_bytes());
                }
                (Event::Text(text), true) if text == "5" => {
                    let events = events.collect();
                    return Ok(Candidate::Socket {
                        stream,
                        input,
                        events,
                    });
                }
                _ => return Err((stream, io::ErrorKind::InvalidData.into())),
            }
            if let Err(error) = stream.write_all(&answer).await {
                return Err((stream, error));
            }
        }
        buffer = match read(&stream).await {
            Ok(bytes) => bytes,
            Err(error) => return Err((stream, error)),
        };
    }
}

async fn read(stream: &Stream) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 2048];
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                buffer.truncate(bytes);
                return Ok(buffer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

async fn probe_bridge(
    output: Arc<BridgeOutput>,
    mut frames: mpsc::Receiver<BridgeFrame>,
) -> io::Result<Candidate> {
    let mut is_probed = false;
    while let Some(frame) = frames.recv().await {
        let BridgeFrame::Text(text) = frame else {
            break;
        };
        let packet = Packet::parse(ProtocolVersion::V4, text);
        match (packet, is_probed) {
            (Ok(Packet::PingUpgrade), false) => {
                is_probed = true;
                output.push(&probe_answer(), usize::MAX);
            }
            (Ok(Packet::Upgrade), true) => return Ok(Candidate::Bridge { output, frames }),
            _ => break,
        }
    }
    output.close(1000, "", false);
    Err(io::ErrorKind::InvalidData.into())
}

fn probe_answer() -> EncodedFrame {
    EncodedFrame::text(|payload| payload.extend_from_slice(b"3probe"))
}
